import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CirclePlay, Hourglass } from "lucide-react";
import { dueInWords, formatNumber, plantDay } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { cx } from "@/ui/cx";
import { PrioritySelect, ReleaseButton } from "./order-actions";
import type { BoardRow, StepShort } from "./plan-types";
import { holdUps, orderState, orderTone, whyWords } from "./plan-words";
import { useSiteZone } from "./queries";
import { priorityName, priorityTone, stepState } from "./words";

/** One order: how far it is, whether it can run, and what holds it up. */
export function BoardEntry({ row }: { row: BoardRow }) {
  const { order_row: order, progress, steps } = row;
  const why = holdUps(row.why);
  const zone = useSiteZone();
  const due = dueInWords(order.due_date, plantDay(zone));
  const isOpen = order.status !== "CLOSED" && order.status !== "CANCELLED";
  const [good, planned] = [Number(progress?.executed_good ?? 0), Number(order.quantity)].map((n) => formatNumber(n));
  return (
    <article aria-label={order.code} className="flex flex-col gap-3 rounded-2xl border border-line bg-panel p-4">
      <header className="flex flex-wrap items-center gap-2">
        <h2 className="mr-auto min-w-0 text-lg font-semibold">
          <Link
            to="/production/orders/$code"
            params={{ code: order.code }}
            className="inline-flex min-h-12 items-center font-mono underline-offset-4 hover:underline"
          >
            {order.code}
          </Link>{" "}
          <span className="font-normal">{row.product_title ?? order.product_sku}</span>
        </h2>
        {order.priority !== "normal" && (
          <Badge tone={priorityTone(order.priority)}>{priorityName(order.priority)}</Badge>
        )}
        <Badge tone={isOpen && due.level === "late" ? "bad" : isOpen && due.level === "today" ? "warn" : "plain"}>
          {due.text}
        </Badge>
        <Badge tone={orderTone(order.status)}>{orderState(order.status)}</Badge>
        <span className="font-semibold">
          <Trans>
            {good} of {planned} good
          </Trans>
        </span>
      </header>
      {steps.length > 0 && <StepLine steps={steps} />}
      <Links row={row} />
      {isOpen && (
        <div className="flex flex-wrap items-end gap-2">
          <p className="mr-auto flex min-w-0 flex-1 basis-60 items-start gap-2 self-center">
            {row.can_run ? (
              <>
                <CirclePlay aria-hidden className="shrink-0 text-ok" /> <Trans>Can run now</Trans>
              </>
            ) : (
              <>
                <Hourglass aria-hidden className="shrink-0 text-warn" /> <Trans>Waits</Trans>
              </>
            )}
          </p>
          <PrioritySelect order={order} />
          <ReleaseButton row={row} />
        </div>
      )}
      {isOpen && why.length > 0 && (
        <ul className="rounded-lg bg-warn-bg p-3 text-warn">
          {why.map((one) => (
            <li key={`${one.code} ${one.sequence ?? ""}`}>{whyWords(one)}</li>
          ))}
        </ul>
      )}
    </article>
  );
}

/** Made again for, and by. */
export function Links({ row }: { row: Pick<BoardRow, "root" | "replenishments"> }) {
  const { t } = useLingui();
  if (!row.root && row.replenishments.length === 0) return null;
  return (
    <ul aria-label={t`Made again`} className="flex flex-wrap items-center gap-2">
      {row.root && (
        <li className="flex items-center gap-2">
          <Trans>Makes again for</Trans>
          <LinkButton to="/production/orders/$code" params={{ code: row.root }} className="font-mono">
            {row.root}
          </LinkButton>
        </li>
      )}
      {row.replenishments.map((one) => (
        <li key={one.code} className="flex items-center gap-2">
          <Trans>Made again: {formatNumber(Number(one.quantity))} in</Trans>
          <LinkButton to="/production/orders/$code" params={{ code: one.code }} className="font-mono">
            {one.code}
          </LinkButton>
          <Badge tone={orderTone(one.status)}>{orderState(one.status)}</Badge>
        </li>
      ))}
    </ul>
  );
}

const LOOKS: Record<string, string> = {
  NOT_STARTED: "border-dashed border-edge text-soft",
  IN_PROGRESS: "border-accent bg-accent-bg text-accent",
  PAUSED: "border-warn bg-warn-bg text-warn",
  COMPLETED: "border-ok bg-ok-bg text-ok",
};

/** The steps in a row: how many good pieces each gave. */
function StepLine({ steps }: { steps: StepShort[] }) {
  const { t } = useLingui();
  return (
    <ol aria-label={t`Steps`} className="flex flex-wrap gap-1">
      {steps.map((one) => {
        const [good, planned] = [one.good, one.planned].map((value) => formatNumber(Number(value)));
        const scrap = formatNumber(Number(one.scrap));
        return (
          <li
            key={one.sequence}
            className={cx("flex min-w-24 flex-1 flex-col rounded-lg border-2 px-2 py-1", LOOKS[one.status])}
          >
            <span className="truncate text-sm font-semibold">{one.step}</span>
            <span className="text-sm">
              {good}/{planned} <span className="sr-only">{t`good`}</span>
              {Number(one.scrap) > 0 && ` · ${t`scrap ${scrap}`}`}
            </span>
            <span className="text-xs">{stepState(one.status)}</span>
          </li>
        );
      })}
    </ol>
  );
}
