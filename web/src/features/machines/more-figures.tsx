import { Trans, useLingui } from "@lingui/react/macro";
import { percent } from "@/features/production/words";
import { formatNumber, formatSpan } from "@/lib/time";
import { AsTable, DataRow, DataTable } from "@/ui/charts/table";
import type { Inputs, Ratios } from "./types";

/** OEE's relatives, each with what it says, and the sums that all of them are made of. */
export function MoreFigures({ inputs, ratios }: { inputs: Inputs; ratios: Ratios }) {
  const { t } = useLingui();
  const shares: [string, number | null, string][] = [
    ["TEEP", ratios.teep, t`OEE of all time there is, not only of planned time`],
    ["OOE", ratios.ooe, t`of scheduled time, with what the plan left out`],
    ["NEE", ratios.nee, t`OEE with set-up as no loss`],
    [t`Loading`, ratios.loading, t`scheduled of all time`],
    [t`Utilisation`, ratios.utilisation, t`planned of all time`],
    [t`Technical efficiency`, ratios.technical_efficiency, t`running of running and stopped, without set-up`],
    [t`Utilisation efficiency`, ratios.utilization_efficiency, t`running of the time with an order`],
    [t`Allocation efficiency`, ratios.allocation_efficiency, t`time with an order of planned time`],
    [t`Set-up ratio`, ratios.setup_ratio, t`set-up of set-up and running`],
    [t`Quality of pieces`, ratios.quality_pieces, t`good of all pieces, whatever each takes`],
    [t`Scrap ratio`, ratios.scrap_ratio, t`scrap of all pieces`],
    [t`Rework ratio`, ratios.rework_ratio, t`rework of all pieces`],
  ];
  const sums: [string, number][] = [
    [t`All time`, inputs.window_s],
    [t`Scheduled`, inputs.scheduled_s],
    [t`Left out of the plan`, inputs.excluded_s],
    [t`Planned time`, inputs.planned_s],
    [t`It ran`, inputs.run_s],
    [t`Set-up`, inputs.setup_s],
    [t`Without a reason`, inputs.unclassified_s],
    [t`No data`, inputs.no_data_s],
    [t`Micro-stops`, inputs.micro_s],
    [t`Pieces at best speed`, inputs.ideal_s],
  ];
  return (
    <AsTable title={<Trans>More figures, and what they are made of</Trans>}>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <DataTable label={t`More figures`} heads={[t`Figure`, t`Value`, t`What it says`]}>
          {shares.map(([name, value, says]) => (
            <DataRow
              key={name}
              name={name}
              cells={[
                <b key="value">{percent(value)}</b>,
                <span key="says" className="text-sm whitespace-normal text-soft">
                  {says}
                </span>,
              ]}
            />
          ))}
        </DataTable>
        <DataTable label={t`What they are made of`} heads={[t`Time`, t`How long`]}>
          {sums.map(([name, seconds]) => (
            <DataRow key={name} name={name} cells={[formatSpan(seconds)]} />
          ))}
          <DataRow name={t`Pieces without an ideal cycle`} cells={[formatNumber(inputs.without_ideal)]} />
          <DataRow name={t`Pieces out of planned time`} cells={[formatNumber(inputs.unscheduled_pieces)]} />
        </DataTable>
      </div>
    </AsTable>
  );
}
