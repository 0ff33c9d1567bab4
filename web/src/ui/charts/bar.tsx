import { cx } from "../cx";
import { drawn, type Look } from "./looks";

const percentOf = (value: number, whole: number) =>
  `${Math.max(0, Math.min(100, whole > 0 ? (100 * value) / whole : 0))}%`;

/**
 * A bar beside a figure that says the same: parts after `from` of a whole of `max`, and a mark where it was meant to end.
 * The figure says it, the bar only compares.
 */
export function Bar(props: {
  parts: { value: number; look: Look }[];
  max: number;
  from?: number;
  mark?: number | null;
  className?: string;
}) {
  let at = props.from ?? 0;
  return (
    <svg aria-hidden className={cx("block h-6 w-full overflow-visible", props.className)}>
      <rect width="100%" height="100%" className="fill-sunk" />
      {props.parts.map(({ value, look }) => {
        const x = at;
        at += value;
        return (
          <rect
            key={look}
            x={percentOf(x, props.max)}
            width={percentOf(value, props.max)}
            height="100%"
            {...drawn(look)}
            className={value > 0 ? "stroke-ink/40" : ""}
          />
        );
      })}
      {props.mark !== undefined && props.mark !== null && (
        <line
          x1={percentOf(props.mark, props.max)}
          x2={percentOf(props.mark, props.max)}
          y1="-15%"
          y2="115%"
          className="stroke-ink"
          strokeWidth="3"
        />
      )}
    </svg>
  );
}
