import { Trans, useLingui } from "@lingui/react/macro";
import { formatDay, formatLocale, formatNumber, formatSpan } from "@/lib/time";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Trend } from "@/ui/charts/trend";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import type { Scope } from "./queries";
import { type ReliabilityWeek, useReliabilityWeeks } from "./reliability-queries";
import { span, useMtbfWords } from "./reliability-words";

const WEEKS = 8;

/** "16 Nov": there is little room below a chart. */
const shortDay = (day: string) =>
  new Intl.DateTimeFormat(formatLocale(), { day: "numeric", month: "short", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );

/** Week by week: does it break less often, and is it repaired faster? */
export function ReliabilityTrend({ scope }: { scope: Scope }) {
  const { t } = useLingui();
  const weeks = useReliabilityWeeks(scope, WEEKS);
  return (
    <Panel title={t`The last ${WEEKS} weeks`}>
      <Pending of={weeks} />
      {weeks.data && (
        <>
          <div className="grid gap-4 lg:grid-cols-2">
            <figure>
              <figcaption className="font-semibold">{t`MTTR: lower is better`}</figcaption>
              <Line label={t`MTTR by week. The table says each.`} weeks={weeks.data} of="mttr_s" />
            </figure>
            <figure>
              <figcaption className="font-semibold">{t`MTBF: higher is better`}</figcaption>
              <Line label={t`MTBF by week. The table says each.`} weeks={weeks.data} of="mtbf_s" />
            </figure>
          </div>
          <p className="text-sm text-soft">
            <Trans>A gap is a week without a failure: there is nothing to average.</Trans>
          </p>
          <Table weeks={weeks.data} />
        </>
      )}
    </Panel>
  );
}

function Line({ label, weeks, of }: { label: string; weeks: ReliabilityWeek[]; of: "mttr_s" | "mtbf_s" }) {
  const most = Math.max(1, ...weeks.map((one) => one[of] ?? 0));
  return (
    <Trend
      label={label}
      max={most * 1.15}
      points={weeks.map((one) => ({ key: shortDay(one.week), value: one[of], text: span(one[of]) }))}
    />
  );
}

function Table({ weeks }: { weeks: ReliabilityWeek[] }) {
  const { t } = useLingui();
  const mtbfWords = useMtbfWords();
  const heads = [t`Week from`, t`Failures`, t`Runs again`, t`Still down`, "MTTR", "MTBF", t`It ran`];
  return (
    <DataTable label={t`By week`} heads={heads}>
      {weeks.map((one) => (
        <DataRow
          key={one.week}
          name={formatDay(one.week)}
          cells={[
            formatNumber(one.failures),
            formatNumber(one.restored),
            formatNumber(one.open),
            span(one.mttr_s),
            mtbfWords(one),
            formatSpan(one.operating_s),
          ]}
        />
      ))}
    </DataTable>
  );
}
