import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Check, RotateCcw } from "lucide-react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge, type BadgeTone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { giveStock } from "./act";
import type { CountAnswer, CountLine } from "./types";

/** What came of the figures that were submitted, and the decisions that wait. */
export function CountResult({ answer, mine }: { answer: CountAnswer; mine: boolean }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { count_row: count, lines } = answer;
  const isOver = count.status === "applied" || count.status === "cancelled";
  const told = mine || isOver ? lines.filter((line) => line.counted !== null) : lines;
  const waiting = lines.filter((line) => line.status === "approval").length;
  const decides = !isOver && waiting > 0 && !mine && may(who, "inventory.approve");
  if (told.length === 0) return null;
  return (
    <Panel
      title={<Trans>Figures</Trans>}
      tools={
        decides &&
        waiting > 1 && <Decide id={count.id} skus={null} names={{ yes: t`Approve all`, no: t`Count all again` }} />
      }
    >
      {waiting > 0 && !isOver && mine && (
        <p className="mb-2 rounded-xl bg-warn-bg p-3 font-medium text-warn">
          <Trans>Another person must look at the differences that wait.</Trans>
        </p>
      )}
      <ul aria-label={t`Figures`} className="flex flex-col divide-y divide-line">
        {told.map((line) => (
          <ResultRow key={line.sku} line={line} count={count.id} decides={decides} isOver={isOver} />
        ))}
      </ul>
    </Panel>
  );
}

function ResultRow(props: { line: CountLine; count: number; decides: boolean; isOver: boolean }) {
  const { t } = useLingui();
  const { line, count, isOver } = props;
  const states: Record<CountLine["status"], [BadgeTone, string]> = {
    open: isOver ? ["plain", t`Not counted`] : ["accent", t`Being counted`],
    recount: isOver ? ["plain", t`Not counted`] : ["warn", t`Counted again`],
    approval: isOver ? ["plain", t`Dropped`] : ["warn", t`Waits for a decision`],
    applied: ["ok", line.variance === 0 ? t`Right` : t`Booked`],
  };
  const [tone, words] = states[line.status];
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3">
      <div className="min-w-48 flex-1">
        <Link to="/stock/item" search={{ sku: line.sku }} className="font-semibold hover:underline">
          {line.title}
        </Link>
        <p className="text-sm text-soft">
          <span className="font-mono">{line.sku}</span>
          {line.moved && (
            <>
              {" · "}
              <Trans>It was moved while it was counted</Trans>
            </>
          )}
        </p>
      </div>
      {line.counted !== null && <Figures line={line} />}
      <Badge tone={tone}>{words}</Badge>
      {props.decides && line.status === "approval" && (
        <Decide
          id={count}
          skus={[line.sku]}
          names={{ yes: t`Approve: ${line.sku}`, no: t`Count again: ${line.sku}` }}
          short
        />
      )}
    </li>
  );
}

function Figures({ line }: { line: CountLine }) {
  const { t } = useLingui();
  const figures: [string, number | null, string?][] = [
    [t`Expected`, line.expected],
    [t`Counted`, line.counted],
    [t`Difference`, line.variance, line.variance ? "text-bad" : "text-ok"],
  ];
  return (
    <dl className="grid grid-cols-3 gap-x-6">
      {figures.map(([label, value, look]) => (
        <div key={label} className="flex flex-col-reverse text-right">
          <dt className="text-sm text-soft">{label}</dt>
          <dd className={cx("text-xl font-bold", look)}>
            {label === t`Difference` && (value ?? 0) > 0 && "+"}
            {formatNumber(value ?? 0)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The two decisions about differences; of one line or, with `skus` null, of all that wait. */
function Decide(props: { id: number; skus: string[] | null; names: { yes: string; no: string }; short?: boolean }) {
  const { id, skus, names, short } = props;
  const given = { p_count_id: id, p_skus: skus };
  return (
    <div className="flex gap-2">
      <Button look="primary" aria-label={names.yes} onClick={() => void giveStock("approve_count", given)}>
        <Check aria-hidden className="size-5" /> {short ? <Trans>Approve</Trans> : names.yes}
      </Button>
      <Button aria-label={names.no} onClick={() => void giveStock("recount", given)}>
        <RotateCcw aria-hidden className="size-5" /> {short ? <Trans>Count again</Trans> : names.no}
      </Button>
    </div>
  );
}
