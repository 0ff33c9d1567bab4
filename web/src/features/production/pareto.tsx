import { Trans, useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { cx } from "@/ui/cx";
import { Empty } from "@/ui/states";
import type { ParetoRow } from "./types";
import { percent } from "./words";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 320, 12, 56, 30, 34];
const SHOWN = 10;
/** Letters that stay readable over bars and lines. */
const HALO = "fill-ink stroke-panel [paint-order:stroke] [stroke-width:5px]";

/** Reasons, the most frequent first, with how much of all defects they are together. Hatched: thrown away. */
export function Pareto({ rows }: { rows: ParetoRow[] }) {
  const { t } = useLingui();
  if (rows.length === 0) return <Empty>{t`Nothing was found bad in these days.`}</Empty>;
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[1fr_1fr]">
      <figure>
        <Chart rows={rows.slice(0, SHOWN)} />
        <figcaption className="mt-1 flex flex-wrap gap-x-4 text-sm text-soft">
          <Key mark="scrap">
            <Trans>thrown away</Trans>
          </Key>
          <Key mark="rest">
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
  const most = Math.max(...rows.map((one) => Number(one.quantity)));
  const slot = (WIDTH - LEFT - RIGHT) / rows.length;
  const bar = Math.min(slot * 0.7, 64);
  const height = (value: number) => (value / most) * (HEIGHT - TOP - BOTTOM);
  const middle = (index: number) => LEFT + slot * (index + 0.5);
  const y = (share: number) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const words = rows.map((one) => `${one.title}: ${formatNumber(Number(one.quantity))} (${percent(one.share)})`);
  const curve = rows.map((one, index) => `${index ? "L" : "M"}${middle(index)} ${y(Number(one.cumulative))}`).join("");
  return (
    <svg
      role="img"
      aria-label={t`Pareto of reasons, most first. ${words.join("; ")}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="w-full text-ink"
    >
      <Hatch />
      <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(0)} y2={y(0)} className="stroke-edge" />
      <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(0.8)} y2={y(0.8)} className="stroke-edge" strokeDasharray="7 4" />
      <text x={WIDTH - RIGHT + 6} y={y(0.8) + 4} className="fill-soft text-[16px]">
        {percent(0.8)}
      </text>
      {rows.map((one, index) => {
        const [all, scrap] = [height(Number(one.quantity)), height(Number(one.scrap))];
        const x = middle(index) - bar / 2;
        return (
          <g key={one.reason}>
            <title>{words[index]}</title>
            <rect x={x} y={y(0) - all} width={bar} height={all} className="fill-accent-bg stroke-accent" />
            <rect
              x={x}
              y={y(0) - scrap}
              width={bar}
              height={scrap}
              fill="url(#scrap-hatch)"
              className="stroke-accent"
            />
            <text x={middle(index)} y={y(0) - 8} textAnchor="middle" className={cx(HALO, "text-[18px] font-bold")}>
              {formatNumber(Number(one.quantity))}
            </text>
            <text x={middle(index)} y={HEIGHT - 12} textAnchor="middle" className="fill-soft text-[16px]">
              {t`No. ${index + 1}`}
            </text>
          </g>
        );
      })}
      <path d={curve} className="fill-none stroke-ink" strokeWidth={2} />
      {rows.map((one, index) => (
        <g key={one.reason}>
          <circle
            cx={middle(index)}
            cy={y(Number(one.cumulative))}
            r={4}
            className="fill-panel stroke-ink"
            strokeWidth={2}
          />
          <text
            x={middle(index)}
            y={y(Number(one.cumulative)) - 9}
            textAnchor="middle"
            className={cx(HALO, "text-[15px]")}
          >
            {percent(Number(one.cumulative))}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Hatch() {
  return (
    <defs>
      <pattern id="scrap-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="6" height="6" className="fill-panel" />
        <line x1="0" x2="0" y1="0" y2="6" className="stroke-accent" strokeWidth="4" />
      </pattern>
    </defs>
  );
}

function Key({ mark, children }: { mark: "scrap" | "rest" | "line"; children: React.ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1">
      <svg aria-hidden viewBox="0 0 24 14" className="h-4 w-7 text-ink">
        {mark === "line" ? (
          <>
            <path d="M1 7h22" className="stroke-ink" strokeWidth={2} />
            <circle cx={12} cy={7} r={4} className="fill-panel stroke-ink" strokeWidth={2} />
          </>
        ) : (
          <rect
            x={1}
            y={1}
            width={22}
            height={12}
            className={mark === "rest" ? "fill-accent-bg stroke-accent" : "stroke-accent"}
            {...(mark === "scrap" && { fill: "url(#scrap-hatch)" })}
          />
        )}
      </svg>
      {children}
    </span>
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
