import { useLingui } from "@lingui/react/macro";
import { useSite, useSiteZone } from "@/features/production/queries";
import { percent } from "@/features/production/words";
import { formatNumber, formatSpan } from "@/lib/time";
import { DataRow, DataTable } from "@/ui/charts/table";
import { DayRange } from "@/ui/day-range";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { LineChoice, MachineChoice } from "./choices";
import { MachinesFrame } from "./frame";
import { useFilter, useScope, useSpan } from "./queries";
import { type Reliability, useReliability } from "./reliability-queries";
import { ReliabilityTrend } from "./reliability-trend";
import { span, useMtbfWords } from "./reliability-words";
import { Figure } from "./shift";

const STANDARD_DAYS = 30;

/** How often machines break, and how long until they run again. */
export function ReliabilityPage() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const [filter, set] = useFilter();
  const scope = useScope(site);
  const days = useSpan(STANDARD_DAYS);
  const total = useReliability(scope, days, "total");
  const each = useReliability(scope, days, "machine");
  return (
    <MachinesFrame current="reliability">
      <search className="flex flex-wrap items-end gap-2">
        <LineChoice />
        <MachineChoice all />
        <DayRange zone={zone} days={filter} standard={STANDARD_DAYS} onChange={set} />
      </search>
      <Pending of={total} />
      {total.data && <Figures of={total.data} />}
      <ReliabilityTrend scope={scope} />
      <Panel title={t`By machine`}>
        <Pending of={each} />
        {each.data && <Machines of={each.data} />}
      </Panel>
    </MachinesFrame>
  );
}

function Figures({ of }: { of: Reliability }) {
  const { t } = useLingui();
  const mtbfWords = useMtbfWords();
  const [mttr, mtbf] = [of.mttr[0], of.mtbf[0]];
  const failures = formatNumber(mtbf?.failures ?? 0);
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Figure name="MTTR" value={span(mttr?.mttr_s)} note={t`from when it broke until it ran again`} />
      <Figure name="MTBF" value={mtbfWords(mtbf)} note={t`running time per failure: ${failures} failures`} />
      <Figure name={t`Until acknowledged`} value={span(mttr?.mtta_s)} note={t`from the report`} />
      <Figure name={t`Until work began`} value={span(mttr?.response_s)} note={t`from the report`} />
      <Figure name={t`Work itself`} value={span(mttr?.wrench_s)} />
      <Figure name={t`Waiting`} value={span(mttr?.waiting_s)} note={t`for parts, people, a vendor`} />
      <Figure name={t`Still down`} value={formatNumber(mttr?.open ?? 0)} />
      <Figure
        name={t`Repairs of all maintenance`}
        value={percent(mttr?.corrective_ratio)}
        note={t`the rest was planned`}
      />
    </dl>
  );
}

function Machines({ of }: { of: Reliability }) {
  const { t } = useLingui();
  const mtbfWords = useMtbfWords();
  const heads = [t`Machine`, t`Failures`, "MTTR", "MTBF", t`It ran`, t`Until acknowledged`, t`Waiting`, t`Still down`];
  if (of.mtbf.length === 0) return <Empty>{t`No machine stood there in this time.`}</Empty>;
  return (
    <DataTable label={t`By machine`} heads={heads}>
      {of.mtbf.map((one) => {
        const mttr = of.mttr.find(({ key }) => key === one.key);
        return (
          <DataRow
            key={one.key}
            name={one.title ?? one.key}
            cells={[
              formatNumber(one.failures),
              <b key="mttr">{span(mttr?.mttr_s)}</b>,
              <b key="mtbf">{mtbfWords(one)}</b>,
              formatSpan(one.operating_s),
              span(mttr?.mtta_s),
              span(mttr?.waiting_s),
              formatNumber(mttr?.open ?? 0),
            ]}
          />
        );
      })}
    </DataTable>
  );
}
