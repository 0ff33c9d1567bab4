import { Trans, useLingui } from "@lingui/react/macro";
import { Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useSiteZone } from "@/features/production/queries";
import { plantDay } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { order } from "./act";
import type { PatternShift } from "./calendar-queries";
import { weekdayName } from "./words";

const WEEK = [1, 2, 3, 4, 5, 6, 7];

/** A short name that no other shift here has. */
function freeName(shifts: PatternShift[]): string {
  let n = shifts.length + 1;
  while (shifts.some((one) => one.shift === `shift-${n}`)) n += 1;
  return `shift-${n}`;
}

/** A new shift is known by what it is called: the server names it in its refusals. */
function named(shifts: PatternShift[], old: PatternShift[]): PatternShift[] {
  return shifts.map((one) => {
    const slug = (one.title ?? "")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 30);
    const isTaken = shifts.some((other) => other !== one && [other.shift, other.title?.toLowerCase()].includes(slug));
    return old.some(({ shift }) => shift === one.shift) || !slug || isTaken ? one : { ...one, shift: slug };
  });
}

/** The shifts of a work centre from a day on; those that have begun stay as they are. */
export function PatternDialog(props: { centre: string; shifts: PatternShift[]; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [day, setDay] = useState(plantDay(zone));
  const [shifts, setShifts] = useState(props.shifts);
  const set = (shift: string, change: Partial<PatternShift>) =>
    setShifts(shifts.map((one) => (one.shift === shift ? { ...one, ...change } : one)));
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = { p_work_centre: props.centre, p_valid_from: day, p_shifts: named(shifts, props.shifts) };
    const done = await order("save_shift_pattern", given as never, () => t`The shifts are saved.`);
    if (done) props.onClose();
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t`Shifts of ${props.centre}`}
      note={t`In the time of the plant. A shift that ends before it begins ends on the next day.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input
          label={t`From this day on`}
          type="date"
          value={day}
          required
          onChange={(event) => setDay(event.target.value)}
        />
        {shifts.map((one) => (
          <ShiftFields
            key={one.shift}
            shift={one}
            onChange={(change) => set(one.shift, change)}
            onRemove={() => setShifts(shifts.filter(({ shift }) => shift !== one.shift))}
          />
        ))}
        <Button
          onClick={() =>
            setShifts([
              ...shifts,
              { shift: freeName(shifts), title: "", starts: "06:00", ends: "14:00", weekdays: WEEK.slice(0, 5) },
            ])
          }
        >
          <Plus aria-hidden /> <Trans>Add a shift</Trans>
        </Button>
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save the shifts</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

function ShiftFields(props: {
  shift: PatternShift;
  onChange: (change: Partial<PatternShift>) => void;
  onRemove: () => void;
}) {
  const { t } = useLingui();
  const { shift, onChange } = props;
  const days = shift.weekdays ?? WEEK;
  const [pause] = shift.breaks ?? [];
  const more = (shift.breaks ?? []).slice(1);
  const toggle = (day: number) =>
    onChange({
      weekdays: days.includes(day) ? days.filter((one) => one !== day) : [...days, day].sort((a, b) => a - b),
    });
  const setBreak = (starts: string, ends: string) =>
    onChange({ breaks: starts && ends ? [{ ...pause, starts, ends }, ...more] : more });
  const [from, setFrom] = useState(pause?.starts.slice(0, 5) ?? "");
  const [to, setTo] = useState(pause?.ends.slice(0, 5) ?? "");
  return (
    <fieldset className="flex flex-col gap-2 rounded-xl border border-line p-3">
      <legend className="sr-only">{shift.title || shift.shift}</legend>
      <div className="grid grid-cols-[1fr_auto] items-end gap-2">
        <Input
          label={t`Name of the shift`}
          value={shift.title ?? ""}
          required
          maxLength={60}
          onChange={(event) => onChange({ title: event.target.value })}
        />
        <Button look="quiet" aria-label={t`Leave ${shift.title || shift.shift} out`} onClick={props.onRemove}>
          <Trash2 aria-hidden />
        </Button>
      </div>
      <div className="grid grid-cols-2 gap-2">
        <Input
          label={t`Begins`}
          type="time"
          value={shift.starts.slice(0, 5)}
          required
          onChange={(event) => onChange({ starts: event.target.value })}
        />
        <Input
          label={t`Ends`}
          type="time"
          value={shift.ends.slice(0, 5)}
          required
          onChange={(event) => onChange({ ends: event.target.value })}
        />
        <Input
          label={t`Break from`}
          type="time"
          value={from}
          onChange={(event) => {
            setFrom(event.target.value);
            setBreak(event.target.value, to);
          }}
        />
        <Input
          label={t`Break until`}
          type="time"
          value={to}
          onChange={(event) => {
            setTo(event.target.value);
            setBreak(from, event.target.value);
          }}
        />
      </div>
      <div className="flex flex-wrap gap-1">
        {WEEK.map((day) => (
          <Button
            key={day}
            look={days.includes(day) ? "primary" : "plain"}
            aria-pressed={days.includes(day)}
            className="px-2"
            onClick={() => toggle(day)}
          >
            {weekdayName(day)}
          </Button>
        ))}
      </div>
    </fieldset>
  );
}
