import { useLingui } from "@lingui/react/macro";
import { percent } from "@/features/production/words";
import { formatNumber, formatSpan } from "@/lib/time";
import { ParetoChart, ParetoKey } from "@/ui/charts/pareto";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Empty } from "@/ui/states";
import type { LossRow } from "./types";
import { lossName } from "./words";

const SHOWN = 10;

/** Losses, the largest first, with how much of everything lost they are together. Hatched: nobody has said why. */
export function LossPareto({ losses }: { losses: LossRow[] }) {
  const { t } = useLingui();
  const rows = losses.filter((one) => one.share !== null && one.share > 0);
  if (rows.length === 0) return <Empty>{t`Nothing was lost in this time.`}</Empty>;
  const hours = (seconds: number) => formatNumber(Math.round(seconds / 360) / 10);
  const isUnknown = (one: LossRow) => one.time_class === "unclassified" || one.time_class === "no_data";
  const words = rows
    .slice(0, SHOWN)
    .map((one) => `${lossName(one)}: ${formatSpan(one.seconds)} (${percent(one.share)})`);
  return (
    <>
      <figure>
        <ParetoChart
          label={t`Pareto of losses in hours, most first. ${words.join("; ")}`}
          majority={percent(0.8)}
          number={(n) => t`No. ${n}`}
          bars={rows.slice(0, SHOWN).map((one) => ({
            key: [one.kind, one.time_class, one.reason].join("/"),
            name: lossName(one),
            value: one.seconds,
            hatched: isUnknown(one) ? one.seconds : 0,
            text: hours(one.seconds),
            cumulative: one.cumulative ?? 0,
            cumulativeText: percent(one.cumulative),
          }))}
        />
        <figcaption className="mt-1 flex flex-wrap gap-x-4 text-sm text-soft">
          <ParetoKey mark="plain">{t`hours lost`}</ParetoKey>
          <ParetoKey mark="hatched">{t`nobody has said why`}</ParetoKey>
          <ParetoKey mark="line">{t`all losses so far, together`}</ParetoKey>
        </figcaption>
      </figure>
      <DataTable label={t`Losses`} heads={[t`Loss`, t`Time`, t`How often`, t`Share`, t`Together`]}>
        {rows.map((one, index) => (
          <DataRow
            key={[one.kind, one.time_class, one.reason].join("/")}
            name={`${index + 1}. ${lossName(one)}`}
            cells={[
              formatSpan(one.seconds),
              one.stops > 0 ? formatNumber(one.stops) : "–",
              percent(one.share),
              percent(one.cumulative),
            ]}
          />
        ))}
      </DataTable>
    </>
  );
}
