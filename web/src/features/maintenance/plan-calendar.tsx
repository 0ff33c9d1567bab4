import { useLingui } from "@lingui/react/macro";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useSiteZone } from "@/features/production/queries";
import { formatDay, formatLocale, plantDay } from "@/lib/time";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import type { PlanRow } from "./types";

const DAY_MS = 86_400_000;
const dayAt = (at: number) => new Date(at).toISOString().slice(0, 10);

/** The weeks, Monday first, that show a month (YYYY-MM). */
export function weeksOf(month: string): string[][] {
  const first = Date.parse(`${month}-01T00:00:00Z`);
  const start = first - ((new Date(first).getUTCDay() + 6) % 7) * DAY_MS;
  const weeks: string[][] = [];
  for (let at = start; dayAt(at).slice(0, 7) <= month; at += 7 * DAY_MS)
    weeks.push(Array.from({ length: 7 }, (_, n) => dayAt(at + n * DAY_MS)));
  return weeks;
}

/** The month `by` months away. */
export function monthAway(month: string, by: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

/** When plans by calendar are due next; what is late stands on today. */
export function PlanCalendar({ plans }: { plans: PlanRow[] }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const today = plantDay(zone);
  const [month, setMonth] = useState(today.slice(0, 7));
  const dated = plans.filter((one) => one.plan.is_active && (one.plan.due_at || one.is_due));
  const dayOf = (one: PlanRow) => {
    const due = one.plan.due_at ? plantDay(zone, new Date(one.plan.due_at)) : today;
    return [due, today].sort()[1] ?? today;
  };
  const title = new Intl.DateTimeFormat(formatLocale(), { month: "long", year: "numeric", timeZone: "UTC" }).format(
    new Date(`${month}-01T00:00:00Z`),
  );
  const weekday = new Intl.DateTimeFormat(formatLocale(), { weekday: "short", timeZone: "UTC" });
  const weeks = weeksOf(month);
  return (
    <Panel
      title={title}
      tools={
        <>
          <Button aria-label={t`The month before`} onClick={() => setMonth(monthAway(month, -1))}>
            <ChevronLeft aria-hidden />
          </Button>
          <Button onClick={() => setMonth(today.slice(0, 7))}>{t`Today`}</Button>
          <Button aria-label={t`The month after`} onClick={() => setMonth(monthAway(month, 1))}>
            <ChevronRight aria-hidden />
          </Button>
        </>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys */}
      <div className="overflow-x-auto" tabIndex={0}>
        <table aria-label={t`Maintenance in ${title}`} className="w-full min-w-[40rem] table-fixed border-collapse">
          <thead>
            <tr className="text-sm text-soft">
              {weeks[0]?.map((day) => (
                <th key={day} scope="col" className="py-1 font-medium">
                  {weekday.format(new Date(`${day}T00:00:00Z`))}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {weeks.map((week) => (
              <tr key={week[0]}>
                {week.map((day) => (
                  <Day
                    key={day}
                    day={day}
                    isToday={day === today}
                    isOther={!day.startsWith(month)}
                    plans={dated.filter((one) => dayOf(one) === day)}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Day(props: { day: string; isToday: boolean; isOther: boolean; plans: PlanRow[] }) {
  const { t } = useLingui();
  return (
    <td
      className={cx(
        "relative h-20 border border-line p-1 align-top",
        props.isToday && "bg-accent-bg",
        props.isOther && "bg-sunk",
      )}
      aria-current={props.isToday ? "date" : undefined}
    >
      <span className="sr-only">{formatDay(props.day)}</span>
      <span aria-hidden className={cx("text-sm", props.isToday ? "font-bold text-accent" : "text-soft")}>
        {Number(props.day.slice(8))}
      </span>
      <ul className="flex flex-col gap-1">
        {props.plans.map((one) => (
          <li
            key={one.plan.id}
            className={cx(
              "rounded px-1 text-sm leading-tight",
              one.is_due ? "bg-warn-bg text-warn" : "bg-info-bg text-info",
            )}
          >
            {one.is_due && <b>{t`due`} </b>}
            {one.machine_name}: {one.plan.title}
          </li>
        ))}
      </ul>
    </td>
  );
}
