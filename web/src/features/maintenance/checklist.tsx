import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { formatNumber } from "@/lib/time";
import { Badge, type BadgeTone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { maintain } from "./act";
import type { Check, RepairChange, RepairDetail } from "./types";

/** What is looked at and measured. What fails becomes a repair of its own. */
export function CheckList({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const done = of.checks.filter((one) => one.result !== null).length;
  return (
    <Panel
      title={t`Checklist`}
      tools={<Badge tone={done === of.checks.length ? "ok" : "plain"}>{t`${done} of ${of.checks.length}`}</Badge>}
    >
      <ol className="flex flex-col gap-2">
        {of.checks.map((one) => (
          <li key={one.position} className="flex flex-col gap-2 rounded-xl border border-line p-3">
            <CheckLine of={of} check={one} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function limits(check: Check): string {
  const range = [check.lower, check.upper].map((one) => (one === null ? "…" : formatNumber(Number(one))));
  return check.lower === null && check.upper === null ? (check.unit ?? "") : `${range.join(" – ")} ${check.unit ?? ""}`;
}

function CheckLine({ of, check }: { of: RepairDetail; check: Check }) {
  const { t } = useLingui();
  const [note, setNote] = useState("");
  const [asks, setAsks] = useState<"fail" | "skipped" | null>(null);
  const isOpen = of.repair.is_open && of.actions.includes("use_repair_part");
  const record = (given: { p_result?: string | null; p_value?: number | null; p_note?: string | null }) =>
    maintain<RepairChange>("record_check", { p_id: of.repair.id, p_position: check.position, ...given } as never).then(
      (answer) => answer && setAsks(null),
    );
  const results: Record<string, [string, BadgeTone]> = {
    ok: [t({ message: "In order", context: "a check" }), "ok"],
    fail: [t({ message: "Not in order", context: "a check" }), "bad"],
    skipped: [t({ message: "Left out", context: "a check" }), "warn"],
  };
  const result = check.result ? results[check.result] : undefined;
  async function measure(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    await record({ p_value: Number(new FormData(event.currentTarget).get("value")) });
  }
  return (
    <>
      <p className="flex flex-wrap items-center gap-2">
        <b className="min-w-0 flex-1">
          {check.position}. {check.title} {check.unit && <span className="font-normal text-soft">{limits(check)}</span>}
        </b>
        {check.value !== null && (
          <span>
            {formatNumber(Number(check.value))} {check.unit}
          </span>
        )}
        {result && <Badge tone={result[1]}>{result[0]}</Badge>}
        {check.failed_repair_id !== null && (
          <Link
            to="/maintenance/repairs/$id"
            params={{ id: String(check.failed_repair_id) }}
            className="inline-flex min-h-12 items-center underline"
          >
            <Trans>Repair {check.failed_repair_id}</Trans>
          </Link>
        )}
      </p>
      {check.note && <p className="text-soft">{check.note}</p>}
      {isOpen && check.result === null && (
        <div className="flex flex-wrap items-end gap-2">
          {check.unit ? (
            <form onSubmit={measure} className="flex items-end gap-2">
              <div className="w-36">
                <Input label={t`Measured (${check.unit})`} name="value" type="number" step="any" required />
              </div>
              <Button type="submit">
                <Trans>Note it</Trans>
              </Button>
            </form>
          ) : (
            <>
              <Button onClick={() => void record({ p_result: "ok" })}>
                <Trans>In order</Trans>
              </Button>
              <Button onClick={() => setAsks("fail")}>
                <Trans>Not in order</Trans>
              </Button>
            </>
          )}
          <Button look="quiet" onClick={() => setAsks("skipped")}>
            <Trans>Leave out</Trans>
          </Button>
        </div>
      )}
      {asks && (
        <div className="flex flex-wrap items-end gap-2">
          <div className="min-w-48 flex-1">
            <Input
              label={asks === "fail" ? t`What is wrong` : t`Why it is left out`}
              value={note}
              maxLength={1000}
              onChange={(event) => setNote(event.target.value)}
            />
          </div>
          <Button look="primary" onClick={() => void record({ p_result: asks, p_note: note.trim() || null })}>
            <Trans>Note it</Trans>
          </Button>
        </div>
      )}
    </>
  );
}
