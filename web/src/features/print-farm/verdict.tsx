import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { farm, undoRun } from "./act";
import { type Counted, GoodOf } from "./good-of";
import { linesOf, PartRows, partRow } from "./part-rows";
import { usePartNames } from "./queries";
import type { RunChange, RunRow } from "./types";
import { outcomeName } from "./words";

const OUTCOMES = ["success", "failed", "cancelled", "ignored"] as const;
type Outcome = (typeof OUTCOMES)[number];
const ACTIONS: Record<Outcome, string> = { success: "book", failed: "fail", cancelled: "cancel", ignored: "ignore" };

/** The parts to count: what is booked, else what the file gives. */
function useParts(row: RunRow): Counted[] {
  const names = usePartNames().data;
  if (row.lines.length > 0)
    return row.lines.map(({ sku, title, planned, qty }) => ({ sku, title, planned, good: qty }));
  return (row.expected ?? []).map(({ sku, quantity }) => ({
    sku,
    title: names?.find((one) => one.sku === sku)?.inventory_items.title ?? sku,
    planned: quantity,
    good: quantity,
  }));
}

/** The place to decide about a print that waits; behind a button for one that is decided. */
export function VerdictPlace({ row, onDone }: { row: RunRow; onDone: () => void }) {
  const isDecided = row.run.status === "recorded" || row.run.status === "ignored";
  const [isClosed, setClosed] = useState(isDecided);
  if (!isClosed) return <Verdict row={row} onDone={onDone} />;
  return (
    <Button onClick={() => setClosed(false)}>
      <Trans>Correct it …</Trans>
    </Button>
  );
}

/** What a print really was: decided for one that waits, corrected with a reason for one that is decided. */
function Verdict({ row, onDone }: { row: RunRow; onDone: () => void }) {
  const { t } = useLingui();
  const { run } = row;
  const isOpen = run.status === "unmapped" || run.status === "review";
  const known = useParts(row);
  const [outcome, setOutcome] = useState<Outcome | null>(
    isOpen ? null : (OUTCOMES.find((one) => one === run.outcome) ?? null),
  );
  const [good, setGood] = useState<Record<string, number>>({});
  const [others, setOthers] = useState([partRow(0)]);
  const [isOther, setOther] = useState(false);
  const [reason, setReason] = useState("");
  const counted = known.map((one) => ({ ...one, good: good[one.sku] ?? startOf(one, run.outcome) }));
  const hasCounts = counted.length > 0 && !isOther;

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const lines = hasCounts
      ? counted.map(({ sku, planned, good: quantity }) => ({ sku, planned, quantity }))
      : linesOf(others);
    const p_lines = outcome === "success" ? lines : null;
    const given = { p_run_id: run.id, p_lines, p_reason: reason.trim() || null };
    const done =
      isOpen && outcome
        ? await farm<RunChange>(
            "resolve_print_run",
            { ...given, p_action: ACTIONS[outcome] } as never,
            (change) => `${outcomeName(change.run.outcome)}.`,
          )
        : await farm<RunChange>(
            "amend_print_run",
            { ...given, p_outcome: outcome } as never,
            ({ changed }) => (changed ? t`Corrected; stock follows.` : t`Nothing to change.`),
            ({ changed }) =>
              changed
                ? undoRun(run.id, run.outcome === "success" ? { lines: row.lines } : { outcome: run.outcome })
                : undefined,
          );
    if (done) onDone();
  }

  return (
    <form onSubmit={save} className="flex flex-col gap-3 border-t border-line pt-4">
      <fieldset>
        <legend className="mb-1 font-semibold">{isOpen ? t`What was it?` : t`Correct it: what was it really?`}</legend>
        <div className="grid grid-cols-2 gap-2">
          {OUTCOMES.map((one) => (
            <Button
              key={one}
              aria-pressed={outcome === one}
              look={outcome === one ? "primary" : "plain"}
              onClick={() => setOutcome(one)}
            >
              {outcomeName(one)}
            </Button>
          ))}
        </div>
      </fieldset>
      {outcome === "success" && hasCounts && (
        <>
          <GoodOf
            parts={counted}
            onChange={(parts) => setGood(Object.fromEntries(parts.map((one) => [one.sku, one.good])))}
          />
          <Button look="quiet" className="self-start" onClick={() => setOther(true)}>
            <Trans>Other parts lay on the plate</Trans>
          </Button>
        </>
      )}
      {outcome === "success" && !hasCounts && <PartRows rows={others} onChange={setOthers} />}
      {outcome && (
        <TextArea
          label={isOpen ? t`Note` : t`Reason`}
          maxLength={500}
          required={!isOpen}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      )}
      <Button look="primary" type="submit" disabled={outcome === null}>
        {isOpen ? <Trans>Decide</Trans> : <Trans>Correct</Trans>}
      </Button>
    </form>
  );
}

/** A failed print that counts after all begins with all of its parts. */
const startOf = (part: Counted, outcome: string) => (outcome === "success" ? part.good : part.planned);
