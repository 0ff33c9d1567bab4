import { Trans, useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { ParetoKey as Key, ParetoChart } from "@/ui/charts/pareto";
import { Empty } from "@/ui/states";
import type { ParetoRow } from "./types";
import { percent } from "./words";

const SHOWN = 10;
/** Reasons, the most frequent first, with how much of all defects they are together. Hatched: thrown away. */
export function Pareto({ rows }: { rows: ParetoRow[] }) {
  const { t } = useLingui();
  if (rows.length === 0) return <Empty>{t`Nothing was found bad in these days.`}</Empty>;
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[1fr_1fr]">
      <figure>
        <Chart rows={rows.slice(0, SHOWN)} />
        <figcaption className="mt-1 flex flex-wrap gap-x-4 text-sm text-soft">
          <Key mark="hatched">
            <Trans>thrown away</Trans>
          </Key>
          <Key mark="plain">
            <Trans>reworked, repaired, sent back or used as it is</Trans>
          </Key>
          <Key mark="line">
            <Trans>all reasons so far, together</Trans>
          </Key>
        </figcaption>
      </figure>
      <Table rows={rows} />
    </div>
  );
}

function Chart({ rows }: { rows: ParetoRow[] }) {
  const { t } = useLingui();
  const bars = rows.map((one) => ({
    key: one.reason,
    name: one.title,
    value: Number(one.quantity),
    hatched: Number(one.scrap),
    text: formatNumber(Number(one.quantity)),
    cumulative: Number(one.cumulative),
    cumulativeText: percent(Number(one.cumulative)),
  }));
  const words = rows.map((one) => `${one.title}: ${formatNumber(Number(one.quantity))} (${percent(one.share)})`);
  return (
    <ParetoChart
      label={t`Pareto of reasons, most first. ${words.join("; ")}`}
      bars={bars}
      majority={percent(0.8)}
      number={(n) => t`No. ${n}`}
    />
  );
}

function Table({ rows }: { rows: ParetoRow[] }) {
  const { t } = useLingui();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys
    <div className="overflow-x-auto" tabIndex={0}>
      <table aria-label={t`Reasons`} className="w-full text-right tabular-nums">
        <thead>
          <tr className="text-sm text-soft">
            <th scope="col" className="py-1 pr-2 text-left font-medium">{t`No.`}</th>
            <th scope="col" className="py-1 text-left font-medium">{t`Reason`}</th>
            <th scope="col" className="px-2 py-1 font-medium">{t`Pieces`}</th>
            <th scope="col" className="px-2 py-1 font-medium">
              {t({ message: "Scrap", context: "pieces" })}
            </th>
            <th scope="col" className="px-2 py-1 font-medium">{t`Share`}</th>
            <th scope="col" className="py-1 pl-2 font-medium">{t`Together`}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one, index) => (
            <tr key={one.reason} className="border-t border-line">
              <td className="py-2 pr-2 text-left">{index + 1}</td>
              <th scope="row" className="py-2 text-left font-medium">
                {one.title}
                {one.family_title && <span className="block text-sm font-normal text-soft">{one.family_title}</span>}
              </th>
              <td className="px-2 font-bold">{formatNumber(Number(one.quantity))}</td>
              <td className="px-2">{formatNumber(Number(one.scrap))}</td>
              <td className="px-2">{percent(Number(one.share))}</td>
              <td className="pl-2">{percent(Number(one.cumulative))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
