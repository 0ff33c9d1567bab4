import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { useSiteZone } from "@/features/production/queries";
import { instantOfWall } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { order } from "./act";
import { useAndon } from "./queries";
import { className } from "./words";

const PLANNED = ["meeting", "planned_maintenance", "no_order", "break"];

/** Days on which nothing is worked. */
export function ExceptionDialog(props: { site: string | null; centre: string | undefined; onClose: () => void }) {
  const { t } = useLingui();
  const [onlyHere, setOnlyHere] = useState(false);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const done = await order(
      "save_calendar_exception",
      {
        p_from_day: text("from"),
        p_to_day: text("to") || text("from"),
        p_reason: text("reason"),
        p_site: props.site,
        p_work_centre: onlyHere ? props.centre : null,
      } as never,
      () => t`Nothing is planned then.`,
    );
    if (done) props.onClose();
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t`A day off`}
      note={t`No shift is worked then; those that have begun stay.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <div className="grid grid-cols-2 gap-2">
          <Input label={t`First day`} name="from" type="date" required />
          <Input label={t`Last day`} note={t`Empty: the same`} name="to" type="date" />
        </div>
        <Input label={t`Reason`} name="reason" maxLength={500} required />
        {props.centre && (
          <Switch
            label={t`Only at ${props.centre}`}
            checked={onlyHere}
            onChange={(event) => setOnlyHere(event.target.checked)}
          />
        )}
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

/** A machine stands by plan; its time leaves the plan, as the plant has decided for such time. */
export function PlanStopDialog({ site, onClose }: { site: string | null; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const machines = useAndon({ site });
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const done = await order(
      "plan_stop",
      {
        p_machine: text("machine"),
        p_from: instantOfWall(text("from"), zone),
        p_to: instantOfWall(text("to"), zone),
        p_time_class: text("class"),
        p_note: text("note") || null,
      } as never,
      () => t`The stop is planned.`,
    );
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`Plan a stop`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Select label={t`Machine`} name="machine" required>
          {machines.data?.map((one) => (
            <option key={one.machine} value={one.machine}>
              {one.name}
            </option>
          ))}
        </Select>
        <Select label={t`For what`} name="class">
          {PLANNED.map((one) => (
            <option key={one} value={one}>
              {className(one)}
            </option>
          ))}
        </Select>
        <Input label={t`It stands from`} name="from" type="datetime-local" required />
        <Input label={t`It stands until`} name="to" type="datetime-local" required />
        <Input label={t`Note, if any`} name="note" maxLength={500} />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Plan it</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
