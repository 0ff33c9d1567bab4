import type { ReactNode } from "react";
import type { Look } from "./looks";

function Pattern(props: { look: Look; turn?: number; base: string; children?: ReactNode }) {
  return (
    <pattern
      id={`look-${props.look}`}
      width="8"
      height="8"
      patternUnits="userSpaceOnUse"
      {...(props.turn && { patternTransform: `rotate(${props.turn})` })}
    >
      <rect width="8" height="8" className={props.base} />
      {props.children}
    </pattern>
  );
}

/** The patterns of every chart on a page: put it there once, before the charts. */
export function ChartPatterns() {
  const stripe = <rect width="4" height="8" />;
  return (
    <svg aria-hidden width="0" height="0" className="absolute">
      <defs>
        <Pattern look="run" base="fill-ok" />
        <Pattern look="good" base="fill-ok" />
        <Pattern look="setup" turn={45} base="fill-info-bg">
          <g className="fill-info">{stripe}</g>
        </Pattern>
        <Pattern look="stop" base="fill-bad" />
        <Pattern look="unknown" base="fill-bad-bg">
          <path d="M0 0l8 8M8 0l-8 8" className="stroke-bad" strokeWidth="1.5" />
        </Pattern>
        <Pattern look="micro" base="fill-warn-bg">
          <rect width="3" height="8" className="fill-warn" />
        </Pattern>
        <Pattern look="pending" base="fill-panel">
          <circle cx="4" cy="4" r="2" className="fill-bad" />
        </Pattern>
        <Pattern look="speed" turn={-45} base="fill-warn-bg">
          <g className="fill-warn">{stripe}</g>
        </Pattern>
        <Pattern look="quality" base="fill-accent-bg">
          <path d="M4 0v8M0 4h8" className="stroke-accent" strokeWidth="1.5" />
        </Pattern>
        <Pattern look="planned" base="fill-sunk">
          <rect y="3" width="8" height="2" className="fill-edge" />
        </Pattern>
        <Pattern look="silent" base="fill-sunk">
          <circle cx="4" cy="4" r="1.5" className="fill-ink" />
        </Pattern>
        <Pattern look="none" base="fill-bg" />
      </defs>
    </svg>
  );
}
