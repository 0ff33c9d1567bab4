import { useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import type { TestPoint } from "./types";
import { limitWords } from "./words";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP] = [640, 150, 8, 78, 18];

/**
 * What the last units measured against the limits, oldest on the left. Read without colour: a dot is within, a cross is
 * outside, a ring with a dot is the unit itself; limits are dashed lines with their numbers.
 */
export function Plot({ metric, points, sn }: { metric: string; points: TestPoint[]; sn?: string }) {
  const { t } = useLingui();
  const list = points.filter((one) => one.value !== null).reverse() as (TestPoint & { value: number })[];
  const newest = list.at(-1);
  if (!newest) return null;
  const limits = [newest.low, newest.high].filter((one) => one !== null);
  const measured = list.map((one) => one.value);
  const values = [...measured, ...limits];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * 0.08;
  const y = (value: number) => TOP + ((most + room - value) / (most - least + 2 * room)) * (HEIGHT - 2 * TOP);
  const x = (index: number) =>
    LEFT + 8 + (list.length > 1 ? index / (list.length - 1) : 0.5) * (WIDTH - LEFT - RIGHT - 16);
  const outside = list.filter((one) => one.is_pass === false).length;
  const mine = list.findLast((one) => one.sn === sn);
  const unit = newest.unit ?? "";
  const [low, high] = [formatNumber(Math.min(...measured)), formatNumber(Math.max(...measured))];
  const words = [
    t`${metric}: ${list.length} measurements from ${low} to ${high} ${unit}`,
    t`limits ${limitWords(newest.low, newest.high, newest.unit)}`,
    t`outside: ${outside}`,
    mine && t`this unit: ${formatNumber(mine.value)}`,
  ].filter(Boolean);
  return (
    <svg
      role="img"
      aria-label={words.join("; ")}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="w-full max-w-3xl text-ink"
    >
      <text x={LEFT} y={12} className="fill-ink text-[13px] font-semibold">
        {metric} {unit && `(${unit})`}
      </text>
      <line x1={LEFT} x2={WIDTH - RIGHT} y1={HEIGHT - 4} y2={HEIGHT - 4} className="stroke-edge" />
      {limits.map((limit) => (
        <g key={limit}>
          <line
            x1={LEFT}
            x2={WIDTH - RIGHT}
            y1={y(limit)}
            y2={y(limit)}
            className="stroke-bad"
            strokeWidth={1.5}
            strokeDasharray="7 4"
          />
          <text x={WIDTH - RIGHT + 5} y={y(limit) + 4} className="fill-bad text-[12px]">
            {limit === newest.high ? t`max ${formatNumber(limit)}` : t`min ${formatNumber(limit)}`}
          </text>
        </g>
      ))}
      {list.map((one, index) => (
        <Mark key={one.run_id} x={x(index)} y={y(one.value)} fails={one.is_pass === false} mine={one === mine}>
          {`${one.sn}: ${formatNumber(one.value)} ${unit}`}
        </Mark>
      ))}
    </svg>
  );
}

function Mark({
  x,
  y,
  fails,
  mine,
  children,
}: {
  x: number;
  y: number;
  fails: boolean;
  mine: boolean;
  children: string;
}) {
  return (
    <g>
      <title>{children}</title>
      {mine && <circle cx={x} cy={y} r={9} className="fill-none stroke-ink" strokeWidth={2} />}
      {fails ? (
        <path d={`M${x - 5} ${y - 5}l10 10m0 -10l-10 10`} className="stroke-bad" strokeWidth={2.5} />
      ) : (
        <circle cx={x} cy={y} r={3.5} className="fill-accent" />
      )}
    </g>
  );
}

/** What the marks mean. */
export function PlotKey({ ofUnit }: { ofUnit: boolean }) {
  const { t } = useLingui();
  const marks = [
    { name: t`within its limits`, fails: false, mine: false },
    { name: t`outside`, fails: true, mine: false },
    ...(ofUnit ? [{ name: t`this unit`, fails: false, mine: true }] : []),
  ];
  return (
    <ul className="flex flex-wrap gap-x-4 text-sm text-soft">
      {marks.map(({ name, fails, mine }) => (
        <li key={name} className="flex items-center gap-1">
          <svg aria-hidden viewBox="0 0 22 22" className="size-5">
            <Mark x={11} y={11} fails={fails} mine={mine}>
              {name}
            </Mark>
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}
