import { useLingui } from "@lingui/react/macro";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSiteZone } from "@/features/production/queries";
import { rpc } from "@/lib/rpc";
import { formatDay, formatLocale, formatSpan, instantOf, plantDay } from "@/lib/time";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Trend } from "@/ui/charts/trend";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import type { Scope } from "./queries";
import type { Mtbf, Mttr } from "./types";

const WEEKS = 8;
const DAY_MS = 86_400_000;

/** "16 Nov": there is little room below a chart. */
const shortDay = (day: string) =>
  new Intl.DateTimeFormat(formatLocale(), { day: "numeric", month: "short", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );

interface Week {
  /** The first day, YYYY-MM-DD. */
  day: string;
  mttr: Mttr | undefined;
  mtbf: Mtbf | undefined;
}

/** The first days of the last weeks of seven days, today in the last one. */
function weeksUntil(today: string): string[] {
  const last = Date.parse(`${today}T00:00:00Z`) - 6 * DAY_MS;
  return Array.from({ length: WEEKS }, (_, n) =>
    new Date(last - (WEEKS - 1 - n) * 7 * DAY_MS).toISOString().slice(0, 10),
  );
}
const dayAfter = (day: string, days: number) =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

function useWeeks(scope: Scope) {
  const zone = useSiteZone();
  const today = plantDay(zone);
  return useQuery({
    queryKey: ["reliability", "weeks", scope, zone, today],
    queryFn: () =>
      Promise.all(
        weeksUntil(today).map(async (day): Promise<Week> => {
          const asked = {
            ...scope,
            p_by: "total",
            p_from: instantOf(day, false, zone),
            p_to: instantOf(dayAfter(day, 6), true, zone),
          };
          const [mttr, mtbf] = await Promise.all([rpc<Mttr[]>("get_mttr", asked), rpc<Mtbf[]>("get_mtbf", asked)]);
          return { day, mttr: mttr[0], mtbf: mtbf[0] };
        }),
      ),
    placeholderData: keepPreviousData,
    enabled: Object.values(scope).some((one) => one !== null),
  });
}

/** Week by week: does it break less often, and is it repaired faster? */
export function ReliabilityTrend({ scope }: { scope: Scope }) {
  const { t } = useLingui();
  const weeks = useWeeks(scope);
  const data = weeks.data ?? [];
  const short = (seconds: number | null | undefined) => (seconds == null ? "–" : formatSpan(seconds));
  const most = (values: (number | null | undefined)[]) => Math.max(1, ...values.map((one) => one ?? 0)) * 1.15;
  const mttr = data.map((one) => one.mttr?.mttr_s ?? null);
  const mtbf = data.map((one) => one.mtbf?.mtbf_s ?? null);
  const points = (values: (number | null)[]) =>
    data.map(({ day }, index) => ({
      key: shortDay(day),
      value: values[index] ?? null,
      text: short(values[index]),
    }));
  return (
    <Panel title={t`The last ${WEEKS} weeks`}>
      <Pending of={weeks} />
      {weeks.data && (
        <>
          <div className="grid gap-4 lg:grid-cols-2">
            <figure>
              <figcaption className="font-semibold">{t`MTTR: lower is better`}</figcaption>
              <Trend label={t`MTTR by week. The table says each.`} points={points(mttr)} max={most(mttr)} />
            </figure>
            <figure>
              <figcaption className="font-semibold">{t`MTBF: higher is better`}</figcaption>
              <Trend label={t`MTBF by week. The table says each.`} points={points(mtbf)} max={most(mtbf)} />
            </figure>
          </div>
          <DataTable label={t`By week`} heads={[t`Week from`, t`Failures`, "MTTR", "MTBF", t`It ran`]}>
            {data.map(({ day, mttr: repaired, mtbf: broke }) => (
              <DataRow
                key={day}
                name={formatDay(day)}
                cells={[broke?.failures ?? 0, short(repaired?.mttr_s), short(broke?.mtbf_s), short(broke?.operating_s)]}
              />
            ))}
          </DataTable>
        </>
      )}
    </Panel>
  );
}
