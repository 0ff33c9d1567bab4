import { useLingui } from "@lingui/react/macro";
import { drawn, type Look } from "./looks";

export interface Stretch {
  from: number;
  to: number;
  look: Look;
  /** What it is, in words. */
  name: string;
}

const HOUR_MS = 3_600_000;

/** Full hours between two instants, at most twelve of them. */
function ticksOf(from: number, to: number): number[] {
  const step = Math.max(1, Math.ceil((to - from) / HOUR_MS / 12)) * HOUR_MS;
  const first = Math.ceil(from / HOUR_MS) * HOUR_MS;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, n) => first + n * step);
}

/** A time from left to right, cut into what it was; instants in ms since 1970. Its table stands beside it. */
export function Strip(props: {
  label: string;
  stretches: Stretch[];
  from: number;
  to: number;
  now?: number;
  clock: (at: number) => string;
}) {
  const { t } = useLingui();
  const whole = Math.max(1, props.to - props.from);
  const x = (at: number) => `${(100 * (Math.min(Math.max(at, props.from), props.to) - props.from)) / whole}%`;
  const width = (one: Stretch) => `${(100 * (one.to - one.from)) / whole}%`;
  const ticks = ticksOf(props.from, props.to);
  const { now } = props;
  return (
    <svg role="img" aria-label={props.label} className="block h-20 w-full">
      <rect y="0" width="100%" height="52" {...drawn("none")} />
      {props.stretches.map((one) => (
        <rect key={one.from} x={x(one.from)} width={width(one)} y="0" height="52" {...drawn(one.look)}>
          <title>
            {props.clock(one.from)}–{props.clock(one.to)} {one.name}
          </title>
        </rect>
      ))}
      <rect y="0" width="100%" height="52" className="fill-none stroke-edge" />
      {ticks.map((at) => (
        <g key={at}>
          <line x1={x(at)} x2={x(at)} y1="52" y2="58" className="stroke-edge" />
          <text
            x={x(at)}
            y="74"
            textAnchor={at - props.from < whole * 0.03 ? "start" : props.to - at < whole * 0.03 ? "end" : "middle"}
            className="fill-soft text-[13px]"
          >
            {props.clock(at)}
          </text>
        </g>
      ))}
      {now !== undefined && now < props.to && (
        <line x1={x(now)} x2={x(now)} y1="0" y2="58" className="stroke-ink" strokeWidth="3">
          <title>{t`Now`}</title>
        </line>
      )}
    </svg>
  );
}
