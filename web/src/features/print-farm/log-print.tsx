import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Select } from "@/ui/field";
import { farm, undoRun } from "./act";
import { type Counted, GoodOf, RejectReason } from "./good-of";
import { useFarmSite, useMachines } from "./queries";
import type { RunChange } from "./types";

interface Printed {
  sku: string;
  title: string;
  parts_per_print: number;
}

/** A print that no bridge saw. Opened, it stands on "all are good": the second tap books it. */
export function LogPrintDialog({ part, onClose }: { part: Printed; onClose: () => void }) {
  const { t } = useLingui();
  const machines = useMachines(useFarmSite());
  const { sku, title, parts_per_print } = part;
  const [parts, setParts] = useState<Counted[]>([{ sku, title, planned: parts_per_print, good: parts_per_print }]);
  const [machine, setMachine] = useState("");
  const [reason, setReason] = useState("");
  const good = parts[0]?.good ?? 0;
  const isShort = good < parts_per_print;

  async function save() {
    const given = {
      p_lines: parts.map((one) => ({ sku: one.sku, quantity: one.good, planned: one.planned })),
      p_machine: machine || null,
      p_outcome: good > 0 ? "success" : "failed",
      p_reason: isShort ? reason || null : null,
    };
    const done = await farm<RunChange>(
      "log_manual_print",
      given as never,
      () => (good > 0 ? t`${title}: ${good} more in stock.` : t`${title}: noted as failed.`),
      ({ run }) => undoRun(run.id, { outcome: "ignored" }),
    );
    if (done) onClose();
  }

  return (
    <Dialog open onClose={onClose} title={t`Log a print of ${title}`} note={t`One print, taken off the plate.`}>
      <div className="flex flex-col gap-4">
        <GoodOf parts={parts} onChange={setParts} />
        {isShort && <RejectReason value={reason} onChange={setReason} />}
        <Select label={t`Printer`} value={machine} onChange={(event) => setMachine(event.target.value)}>
          <option value="">{t`Not said`}</option>
          {machines.data?.map(({ machine: one }) => (
            <option key={one.code} value={one.code}>
              {one.name}
            </option>
          ))}
        </Select>
        <Button look="primary" className="min-h-16 text-lg" onClick={() => void save()}>
          {good > 0 ? (
            <Trans>
              Book {good} of {parts_per_print} good
            </Trans>
          ) : (
            <Trans>None is good: note it as failed</Trans>
          )}
        </Button>
      </div>
    </Dialog>
  );
}
