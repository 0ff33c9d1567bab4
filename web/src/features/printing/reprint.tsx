import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, TextArea } from "@/ui/field";
import { print } from "./act";
import type { PrintJob } from "./types";
import { REPRINT_REASONS, reprintReason } from "./words";

/** One more label on paper needs a reason; the old label and the new one stay linked. */
export function ReprintDialog({ job, onClose }: { job: PrintJob; onClose: () => void }) {
  const { t } = useLingui();
  const [reason, setReason] = useState<string | null>(null);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = {
      p_job_id: job.id,
      p_reason: reason,
      p_note: String(form.get("note")).trim() || null,
      p_copies: Number(form.get("copies")),
    };
    if (await print("reprint", given)) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Print ${job.subject} again`}
      note={t`Two labels of one thing confuse people: say why.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <fieldset>
          <legend className="mb-1 text-sm font-medium text-soft">
            <Trans>Reason</Trans>
          </legend>
          <div className="grid gap-2 sm:grid-cols-2">
            {REPRINT_REASONS.map((one) => (
              <Button
                key={one}
                aria-pressed={reason === one}
                look={reason === one ? "primary" : "plain"}
                onClick={() => setReason(one)}
              >
                {reprintReason(one)}
              </Button>
            ))}
          </div>
        </fieldset>
        <Input label={t`Copies`} name="copies" type="number" min={1} max={500} defaultValue={1} required />
        <TextArea label={t`Note`} name="note" maxLength={500} />
        <Button look="primary" type="submit" disabled={reason === null}>
          <Trans>Print it again</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
