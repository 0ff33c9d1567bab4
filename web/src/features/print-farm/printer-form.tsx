import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { formatLocale } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { farm } from "./act";
import type { Machine } from "./types";

const KINDS = ["bambu", "moonraker", "prusalink", "octoprint", "manual"];
const DAYS = [1, 2, 3, 4, 5, 6, 7];

/** Mon … Sun; 1 = Monday. */
function dayName(day: number): string {
  const monday = Date.UTC(2024, 0, day); // 1 January 2024 was one
  return new Intl.DateTimeFormat(formatLocale(), { weekday: "short", timeZone: "UTC" }).format(monday);
}

/** A printer as it is planned for; null: a new one. */
export function PrinterDialog(props: { machine: Machine | null; site: string | null; onClose: () => void }) {
  const { t } = useLingui();
  const { machine, site, onClose } = props;
  const [days, setDays] = useState<number[]>(machine?.work_days ?? DAYS);
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const until = text("until");
    const given = {
      p_code: machine?.code ?? text("code"),
      p_name: text("name") || null,
      p_kind: text("kind"),
      p_serial: text("serial"),
      p_site: machine?.site ?? site,
      p_model: text("model"),
      p_materials: text("materials")
        .split(",")
        .map((one) => one.trim())
        .filter(Boolean),
      p_work_days: days,
      p_work_from: text("from") || null,
      p_work_until: until === "00:00" ? "24:00" : until || null,
      p_needs_plate_clear: form.get("plate") !== null,
      p_service_every_hours: text("service") ? Number(text("service")) : null,
      p_is_in_maintenance: form.get("maintenance") !== null,
    };
    const done = await farm<Machine>("upsert_print_machine", given as never, ({ name }) => t`${name} is kept.`);
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={machine ? t`Edit ${machine.name}` : t`Add a printer`}>
      <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
        {!machine && (
          <Input
            label={t`Code`}
            note={t`Small letters, figures, - and _.`}
            name="code"
            pattern="[a-z0-9][a-z0-9_\-]*"
            maxLength={61}
            required
          />
        )}
        <Input label={t`Name`} name="name" defaultValue={machine?.name ?? ""} maxLength={200} required />
        <Select label={t`How it reports`} name="kind" defaultValue={machine?.kind ?? "bambu"}>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {kind === "manual" ? t`Not at all: by hand` : kind}
            </option>
          ))}
        </Select>
        <Input label={t`Serial number`} name="serial" defaultValue={machine?.serial ?? ""} maxLength={100} />
        <Input label={t`Model`} name="model" defaultValue={machine?.model ?? ""} maxLength={100} />
        <Input
          label={t`Materials it may print`}
          note={t`With commas between; empty: all.`}
          name="materials"
          defaultValue={machine?.materials.join(", ") ?? ""}
        />
        <Input
          label={t`Service every … hours`}
          name="service"
          type="number"
          min={1}
          step={1}
          defaultValue={machine?.service_every_hours ?? ""}
        />
        <fieldset className="sm:col-span-2">
          <legend className="mb-1 text-sm font-medium text-soft">
            <Trans>Days on which somebody starts prints</Trans>
          </legend>
          <div className="flex flex-wrap gap-1">
            {DAYS.map((day) => (
              <Button
                key={day}
                aria-pressed={days.includes(day)}
                look={days.includes(day) ? "primary" : "plain"}
                onClick={() =>
                  setDays((old) => (old.includes(day) ? old.filter((one) => one !== day) : [...old, day].sort()))
                }
              >
                {dayName(day)}
              </Button>
            ))}
          </div>
        </fieldset>
        <Input label={t`From`} name="from" type="time" defaultValue={machine?.work_from.slice(0, 5) ?? "00:00"} />
        <Input
          label={t`Until`}
          note={t`00:00: until midnight.`}
          name="until"
          type="time"
          defaultValue={(machine?.work_until ?? "24:00").slice(0, 5).replace("24:00", "00:00")}
        />
        <div className="sm:col-span-2">
          <Switch
            label={t`Somebody clears its plate`}
            note={t`Off for printers that eject by themselves.`}
            name="plate"
            defaultChecked={machine?.needs_plate_clear ?? true}
          />
          <Switch
            label={t`In maintenance`}
            note={t`Nothing is planned for it meanwhile.`}
            name="maintenance"
            defaultChecked={machine?.is_in_maintenance ?? false}
          />
        </div>
        <Button look="primary" type="submit" className="sm:col-span-2" disabled={days.length === 0}>
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
