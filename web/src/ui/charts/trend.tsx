import { Fragment } from "react";

export interface Point {
  key: string;
  /** null: nothing to say; the line has a gap there. */
  value: number | null;
  text: string;
}

const [TOP, BOTTOM] = [14, 74];
const MOST_LABELS = 8;

/** Values one after the other, as a line with its points named; `goal` a dashed line. A table says the same beside it. */
export function Trend(props: { label: string; points: Point[]; max: number; goal?: number | null; goalText?: string }) {
  const { points } = props;
  const every = Math.max(1, Math.ceil(points.length / MOST_LABELS));
  const x = (index: number) => `${4 + (92 * (index + 0.5)) / Math.max(1, points.length)}%`;
  const y = (value: number) => `${BOTTOM - (BOTTOM - TOP) * Math.min(1, props.max > 0 ? value / props.max : 0)}%`;
  return (
    <svg role="img" aria-label={props.label} className="block h-56 w-full text-ink">
      <line x1="0" x2="100%" y1={`${BOTTOM}%`} y2={`${BOTTOM}%`} className="stroke-edge" />
      {props.goal !== undefined && props.goal !== null && (
        <>
          <line x1="0" x2="100%" y1={y(props.goal)} y2={y(props.goal)} className="stroke-edge" strokeDasharray="7 4" />
          <text x="100%" y={y(props.goal)} dy="-4" textAnchor="end" className="fill-soft text-[13px]">
            {props.goalText}
          </text>
        </>
      )}
      {points.map((one, index) => {
        const next = points[index + 1];
        if (one.value === null || !next || next.value === null) return null;
        return (
          <line
            key={one.key}
            x1={x(index)}
            y1={y(one.value)}
            x2={x(index + 1)}
            y2={y(next.value)}
            className="stroke-accent"
            strokeWidth={3}
          />
        );
      })}
      {points.map((one, index) => (
        <Fragment key={one.key}>
          {one.value === null && (
            <text x={x(index)} y={`${BOTTOM}%`} dy="-6" textAnchor="middle" className="fill-soft text-[13px]">
              –
            </text>
          )}
          {one.value !== null && (
            <>
              <circle cx={x(index)} cy={y(one.value)} r={5} className="fill-panel stroke-accent" strokeWidth={3}>
                <title>
                  {one.key}: {one.text}
                </title>
              </circle>
              {index % every === 0 && (
                <text
                  x={x(index)}
                  y={y(one.value)}
                  dy="-12"
                  textAnchor="middle"
                  className="fill-ink stroke-panel text-[13px] font-bold [paint-order:stroke] [stroke-width:4px]"
                >
                  {one.text}
                </text>
              )}
            </>
          )}
          {index % every === 0 && (
            <text x={x(index)} y="86%" textAnchor="middle" className="fill-soft text-[13px]">
              {one.key}
            </text>
          )}
        </Fragment>
      ))}
    </svg>
  );
}
