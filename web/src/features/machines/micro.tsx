import { useLingui } from "@lingui/react/macro";
import { useSite, useSiteZone } from "@/features/production/queries";
import { percent } from "@/features/production/words";
import { formatInstant, formatNumber, formatSpan } from "@/lib/time";
import { Bar } from "@/ui/charts/bar";
import { DataRow, DataTable } from "@/ui/charts/table";
import { DayRange } from "@/ui/day-range";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { LineChoice, MachineChoice } from "./choices";
import { MachinesFrame } from "./frame";
import { useFilter, useMicroStops, useScope, useSpan } from "./queries";
import { Figure } from "./shift";
import type { MicroStops } from "./types";
import { stateName } from "./words";

/** Stops too short for a reason: how many, where, when, and what they cost together. */
export function MicroPage() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const [filter, set] = useFilter();
  const micro = useMicroStops(useScope(site), useSpan(1));
  const { data } = micro;
  return (
    <MachinesFrame current="micro">
      <search className="flex flex-wrap items-end gap-2">
        <LineChoice />
        <MachineChoice all />
        <DayRange zone={zone} days={filter} standard={1} onChange={set} />
      </search>
      <Pending of={micro} />
      {data && data.micro_stops === 0 && <Empty>{t`No micro-stops in this time.`}</Empty>}
      {data && data.micro_stops > 0 && <Figures of={data} />}
    </MachinesFrame>
  );
}

function Figures({ of }: { of: MicroStops }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  return (
    <>
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Figure name={t`Micro-stops`} value={formatNumber(of.micro_stops)} />
        <Figure name={t`Together`} value={formatSpan(of.seconds)} />
        <Figure name={t`On average`} value={formatSpan(of.average_s ?? 0)} />
        <Figure name={t`Of run time`} value={percent(of.share_of_run)} />
      </dl>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title={t`By machine`}>
          <Bars rows={of.by_machine.map((one) => ({ ...one, key: one.machine }))} label={t`By machine`} />
        </Panel>
        <Panel title={t`By hour of the day`}>
          <Bars
            rows={of.by_hour.map((one) => ({ ...one, key: one.hour, name: `${String(one.hour).padStart(2, "0")}:00` }))}
            label={t`By hour of the day`}
          />
        </Panel>
        <Panel title={t`By what the machine said`}>
          <Bars
            rows={of.by_state.map((one) => ({ ...one, key: one.state, name: stateName(one.state) }))}
            label={t`By what the machine said`}
          />
        </Panel>
        <Panel title={t`The latest`}>
          <DataTable label={t`The latest`} heads={[t`When`, t`Machine`, t`What it said`, t`Time`]}>
            {of.last.map((one) => (
              <DataRow
                key={`${one.machine} ${one.from}`}
                name={formatInstant(one.from, zone)}
                cells={[one.name, stateName(one.state), formatSpan(one.seconds)]}
              />
            ))}
          </DataTable>
        </Panel>
      </div>
    </>
  );
}

function Bars({
  rows,
  label,
}: {
  rows: { key: string | number; name: string; stops: number; seconds: number }[];
  label: string;
}) {
  const { t } = useLingui();
  const most = Math.max(1, ...rows.map((one) => one.seconds));
  return (
    <DataTable label={label} heads={[t`Where`, "", t`How often`, t`Time`]}>
      {rows.map((one) => (
        <DataRow
          key={one.key}
          name={<span className="whitespace-nowrap">{one.name}</span>}
          cells={[
            <Bar key="bar" className="min-w-24" max={most} parts={[{ value: one.seconds, look: "micro" }]} />,
            formatNumber(one.stops),
            <span key="time" className="whitespace-nowrap">
              {formatSpan(one.seconds)}
            </span>,
          ]}
        />
      ))}
    </DataTable>
  );
}
