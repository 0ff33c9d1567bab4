import { Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useSite, useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { DayRange } from "@/ui/day-range";
import { ExportButtons } from "@/ui/export-buttons";
import { Empty, Pending } from "@/ui/states";
import { MachineChoice } from "./choices";
import { DowntimeDialog } from "./downtime";
import { MachinesFrame } from "./frame";
import { useFilter, useSpan, useStops } from "./queries";
import { frequent, StopList, StopSum } from "./stop-list";

/** Stops of the plant: first those that nobody has given a reason. */
export function StopsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const zone = useSiteZone();
  const [filter, set] = useFilter();
  const span = useSpan(1);
  const [isNew, setNew] = useState(false);
  const all = useStops({ ...span, p_machine: filter.machine ?? null, p_site: site, p_only_unclassified: false });
  const whole = all.data?.filter((one) => one.kind === "stop") ?? [];
  const shown = filter.show === "all" ? whole : whole.filter((one) => one.reason === null);
  return (
    <MachinesFrame current="stops">
      <search className="flex flex-wrap items-end gap-2">
        <MachineChoice all />
        <DayRange zone={zone} days={filter} standard={1} onChange={set} />
        <Button
          look={filter.show === "all" ? "primary" : "plain"}
          aria-pressed={filter.show === "all"}
          onClick={() => set({ show: filter.show === "all" ? undefined : "all" })}
        >
          <Trans>Also those with a reason</Trans>
        </Button>
        {may(who, "stops.report") && (
          <Button look="primary" className="ml-auto" onClick={() => setNew(true)}>
            <Plus aria-hidden className="size-5" /> <Trans>Enter a downtime</Trans>
          </Button>
        )}
      </search>
      <Pending of={all} />
      {all.data && (
        <div className="flex flex-wrap items-center gap-3">
          <StopSum stops={shown} />
          <ExportButtons
            what="stops"
            query={{
              machine: filter.machine,
              site,
              from: span.p_from,
              to: span.p_to,
              only_unclassified: filter.show === "all" ? null : "true",
            }}
          />
        </div>
      )}
      {all.data && shown.length === 0 && (
        <Empty>{filter.show === "all" ? t`Nothing stood in this time.` : t`Every stop has its reason.`}</Empty>
      )}
      <StopList stops={shown} often={frequent(whole)} label={t`Stops`} withMachine />
      {isNew && <DowntimeDialog machine={filter.machine} onClose={() => setNew(false)} />}
    </MachinesFrame>
  );
}
