import { Trans, useLingui } from "@lingui/react/macro";
import { useSite, useSiteZone } from "@/features/production/queries";
import { Button, LinkButton } from "@/ui/button";
import { DayRange, type Days } from "@/ui/day-range";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { LineChoice, MachineChoice } from "./choices";
import { Drill } from "./drill";
import { Facts } from "./facts";
import { MachinesFrame } from "./frame";
import { LossPareto } from "./loss-pareto";
import { MoreFigures } from "./more-figures";
import { OeeFigures, Waterfall } from "./oee-figures";
import { useFilter, useLosses, useOee, useScope, useSpan } from "./queries";
import { TableUse } from "./table-use";

const STANDARD_DAYS = 7;

/** OEE of the plant, a line or a machine, from the figure down to what it was lost to. */
export function OeePage() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const [filter, set] = useFilter();
  const scope = useScope(site);
  const span = useSpan(STANDARD_DAYS);
  const oee = useOee(scope, span, "total");
  const losses = useLosses(scope, span);
  const total = oee.data?.[0];
  // A part of other days is none of these.
  const changeDays = (days: Days) => set({ ...days, since: undefined, until: undefined });
  const whole = { item: undefined, since: undefined, until: undefined };
  return (
    <MachinesFrame current="oee">
      <search className="flex flex-wrap items-end gap-2">
        <LineChoice />
        <MachineChoice all />
        <DayRange zone={zone} days={filter} standard={STANDARD_DAYS} onChange={changeDays} />
      </search>
      <Pending of={oee} />
      {oee.data && !total && <p className="text-soft">{t`No machine stood there in this time.`}</p>}
      {total && (
        <>
          <div>
            <OeeFigures ratios={total.ratios} />
            <MoreFigures inputs={total.inputs} ratios={total.ratios} />
            <Button
              aria-expanded={filter.facts !== undefined}
              onClick={() => set({ ...whole, facts: filter.facts ? undefined : "all" })}
            >
              <Trans>The facts behind it</Trans>
            </Button>
          </div>
          <Drill scope={scope} span={span} />
          {filter.facts && <Facts span={span} />}
          <div className="grid items-start gap-4 xl:grid-cols-2">
            <Panel title={t`Where the time went`}>
              <Pending of={losses} />
              {losses.data && <Waterfall inputs={total.inputs} ratios={total.ratios} losses={losses.data} />}
            </Panel>
            <Panel
              title={t`What was lost, the most first`}
              tools={
                <LinkButton to="/machines/stops" search={{ ...filter, show: "all" } as never}>
                  <Trans>The stops behind it</Trans>
                </LinkButton>
              }
            >
              <Pending of={losses} />
              {losses.data && <LossPareto losses={losses.data} />}
            </Panel>
          </div>
          <TableUse site={site} span={span} />
        </>
      )}
    </MachinesFrame>
  );
}
