import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import type { Machine } from "@/features/machines/types";
import { useCentres, useSite } from "@/features/production/queries";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { maintain } from "./act";
import { useLines } from "./queries";

/** A machine: where it stands, what it is, and when its silence or a stop means something. */
export function MachineDialog({ machine, onClose }: { machine: Machine | null; onClose: () => void }) {
  const { t } = useLingui();
  const site = useSite();
  const lines = useLines(site);
  const centres = useCentres();
  const [isActive, setActive] = useState(machine?.is_active ?? true);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const done = await maintain(
      "save_machine",
      {
        p_code: machine?.code ?? text("code"),
        p_name: text("name"),
        p_site: machine ? null : site,
        p_line: text("line"),
        p_work_centre: text("centre"),
        p_asset_number: text("asset"),
        p_serial_number: text("serial"),
        p_manufacturer: text("maker"),
        p_model: text("model"),
        p_type: text("type"),
        p_micro_stop_s: Number(text("micro")),
        p_silence_s: Number(text("silence")),
        p_call_supervisor_min: Number(text("supervisor")),
        p_call_manager_min: Number(text("manager")),
        p_notes: text("notes"),
        p_is_active: isActive,
        p_version: machine?.version ?? 0,
      } as never,
      () => t`The machine is saved.`,
    );
    if (done) onClose();
  }
  const fields: [string, string, string | null | undefined][] = [
    ["asset", t`Asset number`, machine?.asset_number],
    ["serial", t`Serial number`, machine?.serial_number],
    ["maker", t`Manufacturer`, machine?.manufacturer],
    ["model", t`Model`, machine?.model],
    ["type", t`Type`, machine?.type],
  ];
  const isKnown = lines.data && centres.data;
  return (
    <Dialog open onClose={onClose} title={machine ? machine.name : t`New machine`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        {!machine && <Input label={t`Code`} name="code" maxLength={60} required />}
        <Input label={t`Name`} name="name" maxLength={200} required defaultValue={machine?.name} />
        <Select label={t`Line`} name="line" defaultValue={machine?.line ?? ""} key={isKnown ? "lines" : "no lines"}>
          <option value="">{t`None`}</option>
          {lines.data?.map(({ line }) => (
            <option key={line.code} value={line.code}>
              {line.title}
            </option>
          ))}
        </Select>
        <Select
          label={t`Work centre, whose shifts it works`}
          name="centre"
          defaultValue={machine?.work_centre ?? ""}
          key={isKnown ? "centres" : "no centres"}
        >
          <option value="">{t`None`}</option>
          {centres.data
            ?.filter((one) => one.site === site)
            .map((one) => (
              <option key={one.code} value={one.code}>
                {one.title}
              </option>
            ))}
        </Select>
        <div className="grid grid-cols-2 gap-3">
          {fields.map(([name, label, value]) => (
            <Input key={name} label={label} name={name} defaultValue={value ?? ""} maxLength={200} />
          ))}
        </div>
        <div className="grid grid-cols-2 gap-3">
          <Input
            label={t`Micro-stop up to (s)`}
            name="micro"
            type="number"
            min={0}
            max={3600}
            required
            defaultValue={machine?.micro_stop_s ?? 120}
          />
          <Input
            label={t`Silent after (s)`}
            name="silence"
            type="number"
            min={1}
            max={86400}
            required
            defaultValue={machine?.silence_s ?? 300}
          />
        </div>
        <div className="grid grid-cols-2 gap-3">
          <Input
            label={t`Call a supervisor after (min)`}
            note={t`0: never`}
            name="supervisor"
            type="number"
            min={0}
            max={10080}
            required
            defaultValue={machine?.call_supervisor_min ?? 10}
          />
          <Input
            label={t`Call a manager after (min)`}
            note={t`0: never`}
            name="manager"
            type="number"
            min={0}
            max={10080}
            required
            defaultValue={machine?.call_manager_min ?? 30}
          />
        </div>
        <TextArea label={t`Notes`} name="notes" maxLength={2000} defaultValue={machine?.notes ?? ""} />
        <Switch label={t`In use`} checked={isActive} onChange={(event) => setActive(event.target.checked)} />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
