import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useSite } from "@/features/production/queries";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Select, Switch, TextArea } from "@/ui/field";
import { Pending, Trouble } from "@/ui/states";
import { maintain } from "./act";
import { useMachines, useSymptoms } from "./queries";
import type { RepairChange } from "./types";
import { PRIORITY_CODES, symptomName, urgencyName } from "./words";

/** Something is wrong with a machine, or work on it is planned. */
export function NewRepairDialog({ machine, onClose }: { machine?: string | undefined; onClose: () => void }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const machines = useMachines(useSite(), {});
  const symptoms = useSymptoms();
  const [symptom, setSymptom] = useState("");
  const [isPlanned, setPlanned] = useState(false);
  const usual = symptoms.data?.find((one) => one.code === symptom)?.is_down ?? false;
  const [isDown, setDown] = useState<boolean | null>(null);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const done = await maintain<RepairChange>(
      "report_repair",
      {
        p_machine: text("machine") ?? "",
        p_symptom: symptom || null,
        p_description: text("words"),
        p_is_down: isDown ?? usual,
        p_priority: text("priority") ?? "normal",
        p_type: isPlanned ? "scheduled" : "unscheduled",
      } as never,
      ({ repair }) => (repair.reports > 1 ? t`It was reported before; now ${repair.reports} times.` : t`Reported.`),
      ({ repair }) => ({
        label: t`Open it`,
        run: () => void navigate({ to: "/maintenance/repairs/$id", params: { id: String(repair.id) } }),
      }),
    );
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`Report a problem`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Pending of={machines} />
        <Trouble of={symptoms} />
        <Select
          label={t`Machine`}
          name="machine"
          defaultValue={machine}
          key={machines.data ? "there" : "none"}
          required
        >
          {machines.data?.map(({ machine: one }) => (
            <option key={one.code} value={one.code}>
              {one.name} ({one.code})
            </option>
          ))}
        </Select>
        <fieldset className="flex flex-wrap gap-2">
          <legend className="mb-1 text-sm text-soft">{t`What is wrong?`}</legend>
          {symptoms.data?.map((one) => (
            <Button
              key={one.code}
              look={symptom === one.code ? "primary" : "plain"}
              aria-pressed={symptom === one.code}
              onClick={() => setSymptom(symptom === one.code ? "" : one.code)}
            >
              {symptomName(one.code, one.title)}
            </Button>
          ))}
        </fieldset>
        <TextArea
          label={symptom ? t`More about it, if you like` : t`Or in your words`}
          name="words"
          maxLength={4000}
          required={!symptom}
        />
        <Switch
          label={t`The machine cannot run`}
          checked={isDown ?? usual}
          onChange={(event) => setDown(event.target.checked)}
        />
        <Switch
          label={t`Nothing is wrong: this is planned work`}
          checked={isPlanned}
          onChange={(event) => setPlanned(event.target.checked)}
        />
        <Select label={t`Urgency`} name="priority" defaultValue="normal">
          {PRIORITY_CODES.map((code) => (
            <option key={code} value={code}>
              {urgencyName(code)}
            </option>
          ))}
        </Select>
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Report it</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
