import { type ReactNode, useId } from "react";
import { cx } from "../cx";

export interface ParetoBar {
  key: string;
  /** How much, the part of it that is hatched, and both in words. */
  value: number;
  hatched: number;
  text: string;
  name: string;
  /** Of everything so far, 0 to 1. */
  cumulative: number;
  cumulativeText: string;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 320, 12, 56, 30, 34];
const MAJORITY = 0.8;
/** Letters that stay readable over bars and lines. */
const HALO = "fill-ink stroke-panel [paint-order:stroke] [stroke-width:5px]";

/** Bars, the largest first, and how much of everything they are together. */
export function ParetoChart(props: {
  label: string;
  bars: ParetoBar[];
  majority: string;
  number: (n: number) => string;
}) {
  const { bars } = props;
  const hatch = useId();
  const most = Math.max(...bars.map((one) => one.value));
  const slot = (WIDTH - LEFT - RIGHT) / bars.length;
  const bar = Math.min(slot * 0.7, 64);
  const height = (value: number) => (value / most) * (HEIGHT - TOP - BOTTOM);
  const middle = (index: number) => LEFT + slot * (index + 0.5);
  const y = (share: number) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const curve = bars.map((one, index) => `${index ? "L" : "M"}${middle(index)} ${y(one.cumulative)}`).join("");
  return (
    <svg role="img" aria-label={props.label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="w-full text-ink">
      <Hatch id={hatch} />
      <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(0)} y2={y(0)} className="stroke-edge" />
      <line
        x1={LEFT}
        x2={WIDTH - RIGHT}
        y1={y(MAJORITY)}
        y2={y(MAJORITY)}
        className="stroke-edge"
        strokeDasharray="7 4"
      />
      <text x={WIDTH - RIGHT + 6} y={y(MAJORITY) + 4} className="fill-soft text-[16px]">
        {props.majority}
      </text>
      {bars.map((one, index) => {
        const [all, part] = [height(one.value), height(one.hatched)];
        const x = middle(index) - bar / 2;
        return (
          <g key={one.key}>
            <title>{`${one.name}: ${one.text} (${one.cumulativeText})`}</title>
            <rect x={x} y={y(0) - all} width={bar} height={all} className="fill-accent-bg stroke-accent" />
            <rect x={x} y={y(0) - part} width={bar} height={part} fill={`url(#${hatch})`} className="stroke-accent" />
            <text x={middle(index)} y={y(0) - 8} textAnchor="middle" className={cx(HALO, "text-[18px] font-bold")}>
              {one.text}
            </text>
            <text x={middle(index)} y={HEIGHT - 12} textAnchor="middle" className="fill-soft text-[16px]">
              {props.number(index + 1)}
            </text>
          </g>
        );
      })}
      <path d={curve} className="fill-none stroke-ink" strokeWidth={2} />
      {bars.map((one, index) => (
        <g key={one.key}>
          <circle cx={middle(index)} cy={y(one.cumulative)} r={4} className="fill-panel stroke-ink" strokeWidth={2} />
          <text x={middle(index)} y={y(one.cumulative) - 9} textAnchor="middle" className={cx(HALO, "text-[15px]")}>
            {one.cumulativeText}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Hatch({ id }: { id: string }) {
  return (
    <defs>
      <pattern id={id} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="6" height="6" className="fill-panel" />
        <line x1="0" x2="0" y1="0" y2="6" className="stroke-accent" strokeWidth="4" />
      </pattern>
    </defs>
  );
}

/** What a mark of the chart means. */
export function ParetoKey({ mark, children }: { mark: "hatched" | "plain" | "line"; children: ReactNode }) {
  const hatch = useId();
  return (
    <span className="inline-flex items-center gap-1">
      <svg aria-hidden viewBox="0 0 24 14" className="h-4 w-7 text-ink">
        <Hatch id={hatch} />
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
            className={mark === "plain" ? "fill-accent-bg stroke-accent" : "stroke-accent"}
            {...(mark === "hatched" && { fill: `url(#${hatch})` })}
          />
        )}
      </svg>
      {children}
    </span>
  );
}
