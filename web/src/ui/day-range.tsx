import { useLingui } from "@lingui/react/macro";
import { plantDay } from "@/lib/time";
import { Button } from "./button";
import { Input } from "./field";

const DAY_MS = 86_400_000;
const RANGES = [1, 7, 30, 90];

export interface Days {
  /** Plant days, YYYY-MM-DD; without both it is what the page shows by itself. */
  from?: string | undefined;
  to?: string | undefined;
}

/** The days that are shown; without any, the last `standard`. */
export function DayRange(props: { zone: string; days: Days; standard: number; onChange: (days: Days) => void }) {
  const { t } = useLingui();
  const { from, to } = props.days;
  const today = plantDay(props.zone);
  const firstOf = (days: number) =>
    new Date(Date.parse(`${today}T00:00:00Z`) - (days - 1) * DAY_MS).toISOString().slice(0, 10);
  const chosen = from && (to === undefined || to === today) ? from : null;
  return (
    <>
      <fieldset className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
        <legend className="sr-only">{t`Days`}</legend>
        {RANGES.map((days) => {
          const isOn = chosen === firstOf(days) || (days === props.standard && !from && !to);
          return (
            <Button
              key={days}
              look={isOn ? "plain" : "quiet"}
              aria-pressed={isOn}
              onClick={() => props.onChange({ from: firstOf(days), to: undefined })}
            >
              {days === 1 ? t`Today` : t`${days} days`}
            </Button>
          );
        })}
      </fieldset>
      <div className="flex gap-2 [&_input]:w-36 [&_input]:px-2">
        <Input
          label={t`From`}
          type="date"
          max={to ?? today}
          value={from ?? ""}
          onChange={(event) => props.onChange({ from: event.target.value || undefined, to })}
        />
        <Input
          label={t({ message: "To", context: "end of a time" })}
          type="date"
          min={from}
          value={to ?? ""}
          onChange={(event) => props.onChange({ from, to: event.target.value || undefined })}
        />
      </div>
    </>
  );
}
