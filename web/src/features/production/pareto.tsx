import { Trans, useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { ParetoKey as Key, ParetoChart } from "@/ui/charts/pareto";
import { Empty } from "@/ui/states";
import { useFilter } from "./queries";
import type { ParetoBy, ParetoRow } from "./types";
import { percent } from "./words";

const SHOWN = 10;
/** Reasons, the heaviest first, with how much of all defects they are together. Hatched: thrown away. */
export function Pareto({ rows, by }: { rows: ParetoRow[]; by: ParetoBy }) {
  const { t } = useLingui();
  if (rows.length === 0) return <Empty>{t`Nothing was found bad in these days.`}</Empty>;
  const known = rows.filter((one) => one.weight !== null);
  const unknown = rows.reduce((sum, one) => sum + Number(one.unknown), 0);
  return (
    <div className="flex flex-col gap-3">
      <Weighed by={by} />
      {unknown > 0 && <Unknown by={by} pieces={unknown} />}
      <div className="grid items-start gap-4 xl:grid-cols-[1fr_1fr]">
        {known.length > 0 && (
          <figure>
            <Chart rows={known.slice(0, SHOWN)} />
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
        )}
        <Table rows={rows} by={by} />
      </div>
    </div>
  );
}

/** What a bad piece weighs: one, the work that was in it, or what it costs. */
function Weighed({ by }: { by: ParetoBy }) {
  const { t } = useLingui();
  const [, set] = useFilter();
  const choices: [ParetoBy, string][] = [
    ["quantity", t`By pieces`],
    ["time", t`By minutes of work`],
    ["cost", t`By cost`],
  ];
  return (
    <fieldset className="flex flex-wrap gap-1 self-start rounded-xl bg-sunk p-1">
      <legend className="sr-only">{t`Weigh reasons by`}</legend>
      {choices.map(([one, name]) => (
        <Button
          key={one}
          look={by === one ? "plain" : "quiet"}
          aria-pressed={by === one}
          onClick={() => set({ by: one === "quantity" ? undefined : one })}
        >
          {name}
        </Button>
      ))}
    </fieldset>
  );
}

function Unknown({ by, pieces }: { by: ParetoBy; pieces: number }) {
  const many = formatNumber(pieces);
  return (
    <p className="text-sm text-soft">
      {by === "cost" ? (
        <Trans>Pieces of products without a standard cost are not weighed: {many}</Trans>
      ) : (
        <Trans>Pieces of routings without run times are not weighed: {many}</Trans>
      )}
    </p>
  );
}

function Chart({ rows }: { rows: ParetoRow[] }) {
  const { t } = useLingui();
  const bars = rows.map((one) => ({
    key: one.reason,
    name: one.title,
    value: Number(one.weight),
    hatched: Number(one.weight_scrap),
    text: formatNumber(Number(one.weight)),
    cumulative: Number(one.cumulative),
    cumulativeText: percent(Number(one.cumulative)),
  }));
  const words = rows.map((one) => `${one.title}: ${formatNumber(Number(one.weight))} (${percent(one.share)})`);
  return (
    <ParetoChart
      label={t`Pareto of reasons, most first. ${words.join("; ")}`}
      bars={bars}
      majority={percent(0.8)}
      number={(n) => t`No. ${n}`}
    />
  );
}

function Table({ rows, by }: { rows: ParetoRow[]; by: ParetoBy }) {
  const { t } = useLingui();
  const weight = { quantity: null, time: t`Minutes`, cost: t`Cost` }[by];
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
            {weight && (
              <th scope="col" className="px-2 py-1 font-medium">
                {weight}
              </th>
            )}
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
              {weight && (
                <td className="px-2 font-bold">{one.weight === null ? "–" : formatNumber(Number(one.weight))}</td>
              )}
              <td className="px-2">{percent(one.share)}</td>
              <td className="pl-2">{percent(one.cumulative)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
