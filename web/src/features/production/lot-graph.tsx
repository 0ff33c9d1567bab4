import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { OctagonX } from "lucide-react";
import { useMemo } from "react";
import type { TraceEntry } from "@/features/units/types";
import { kindName } from "@/features/units/words";
import { formatNumber } from "@/lib/time";
import { LinkButton } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Switch } from "@/ui/field";
import { Panel } from "@/ui/page";
import { type Drawing, drawn, type Line, NODE, type Placed } from "./lot-layout";
import type { LotDetail } from "./lot-types";
import { useFilter } from "./queries";

/** What the lot is made of and what it went into, as a picture that is also a list of links. */
export function LotGraph({ detail }: { detail: LotDetail }) {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const { lot, genealogy } = detail;
  const drawing = useMemo(() => drawn(genealogy), [genealogy]);
  return (
    <Panel
      title={<Trans>Where it comes from, where it went</Trans>}
      tools={
        <LinkButton to="/recall" search={{ key: lot.code, kind: "lot", sku: lot.sku } as never}>
          <Trans>Trace it</Trans>
        </LinkButton>
      }
    >
      {drawing.nodes.length === 1 ? (
        <p className="text-soft">
          <Trans>Nothing is known to be in it, and it is in nothing yet.</Trans>
        </p>
      ) : (
        <section
          aria-label={t`Genealogy`}
          className="overflow-x-auto rounded-xl bg-sunk p-4"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys
          tabIndex={0}
        >
          <p aria-hidden className="mb-3 flex justify-between gap-8 text-sm text-soft">
            <span>
              <Trans>← made of</Trans>
            </span>
            <span>
              <Trans>went into →</Trans>
            </span>
          </p>
          <Picture drawing={drawing} detail={detail} />
        </section>
      )}
      {!genealogy.is_complete && (
        <p className="mt-2 text-sm text-soft">
          <Trans>There is more than is shown here. The trace has it all.</Trans>
        </p>
      )}
      {(genealogy.loops?.length ?? 0) > 0 && (
        <p className="mt-2 text-sm text-warn">
          <Trans>Some of it went into itself again: rework.</Trans>
        </p>
      )}
      <Switch
        label={<Trans>Also what was taken out again</Trans>}
        checked={filter.show === "all"}
        onChange={(event) => set({ show: event.target.checked ? "all" : undefined })}
      />
    </Panel>
  );
}

function Picture({ drawing, detail }: { drawing: Drawing; detail: LotDetail }) {
  const { t } = useLingui();
  const { nodes, lines, width, height } = drawing;
  return (
    <div className="relative mx-auto" style={{ width, height }}>
      <svg aria-hidden width={width} height={height} className="absolute inset-0 overflow-visible">
        <defs>
          <marker id="into" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0L10 5L0 10z" className="fill-edge" />
          </marker>
        </defs>
        {lines.map((line) => (
          <Edge key={line.id} of={line} />
        ))}
      </svg>
      <ul aria-label={t`What it is made of and what it went into`}>
        {nodes.map((one) => (
          <li key={one.id} className="absolute" style={{ left: one.x, top: one.y, ...NODE }}>
            <Node of={one} detail={detail} />
            <Onward lines={lines.filter(({ from }) => from === one)} lot={detail.lot.code} />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Where words at one end of a line stand: not on the side to which it bends. */
const beside = (end: number, other: number) => (other < end ? end + 18 : end - 6);

function Edge({ of: { from, to, quantity, isRemoved, isAlone } }: { of: Line }) {
  const { t } = useLingui();
  const isBack = to.x <= from.x;
  const [x1, x2] = isBack ? [from.x, to.x + NODE.width] : [from.x + NODE.width, to.x];
  const [y1, y2] = [from.y + NODE.height / 2, to.y + NODE.height / 2];
  const bend = (x2 - x1) / 2;
  const words = isRemoved ? t`taken out` : `${formatNumber(quantity)} ×`;
  return (
    <>
      <path
        d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
        className="fill-none stroke-edge"
        strokeWidth={2}
        strokeDasharray={isRemoved ? "6 5" : undefined}
        markerEnd="url(#into)"
      />
      {(quantity > 0 || isRemoved) && (
        <text
          x={isAlone ? x1 + (isBack ? -8 : 8) : x2 + (isBack ? 14 : -14)}
          y={isAlone ? beside(y1, y2) : beside(y2, y1)}
          textAnchor={isAlone === isBack ? "end" : "start"}
          className="fill-ink stroke-sunk text-sm [paint-order:stroke] [stroke-width:5px]"
        >
          {words}
        </text>
      )}
    </>
  );
}

/** The lines of the picture for ears. */
function Onward({ lines, lot }: { lines: Line[]; lot: string }) {
  const { t } = useLingui();
  if (lines.length === 0) return null;
  const names = lines.map(({ to, quantity }) => {
    const name = to.hidden > 0 ? t`${to.hidden} more` : (to.entry?.key ?? lot);
    return quantity > 0 ? `${formatNumber(quantity)} × ${name}` : name;
  });
  return <span className="sr-only">{t`goes into ${names.join(", ")}`}</span>;
}

const BOX = "flex h-full w-full flex-col justify-center rounded-xl border-2 bg-panel px-3 py-1 text-left leading-tight";

function Node({ of, detail }: { of: Placed; detail: LotDetail }) {
  const { entry, hidden } = of;
  const { lot } = detail;
  if (hidden > 0)
    return (
      <Link
        to="/recall"
        search={{ key: lot.code, kind: "lot", sku: lot.sku } as never}
        className={cx(BOX, "border-dashed border-edge font-semibold underline")}
      >
        <Trans>{formatNumber(hidden)} more</Trans>
      </Link>
    );
  if (!entry)
    return (
      <div className={cx(BOX, "border-accent text-accent")}>
        <Face kind="lot" name={lot.code} more={lot.sku} isHeld={lot.held_at !== null} />
      </div>
    );
  const name = entry.kind === "order" && entry.details.order_number ? `#${entry.details.order_number}` : entry.key;
  const more = [entry.sku, entry.title].filter((one) => one && one !== entry.key).join(" · ");
  return (
    <EntryLink entry={entry} className={cx(BOX, entry.held_at ? "border-bad" : "border-edge", "hover:brightness-95")}>
      <Face kind={entry.kind} name={name} more={more} isHeld={entry.held_at !== null} />
    </EntryLink>
  );
}

function Face(props: { kind: string; name: string; more: string; isHeld: boolean }) {
  return (
    <>
      <span className="flex items-center gap-2 text-xs">
        <span className="mr-auto">{kindName(props.kind)}</span>
        {props.isHeld && (
          <span className="flex items-center gap-1 font-semibold text-bad">
            <OctagonX aria-hidden className="size-4" /> <Trans>On hold</Trans>
          </span>
        )}
      </span>
      <span className="truncate font-mono font-semibold" title={props.name}>
        {props.name}
      </span>
      <span className="truncate text-xs" title={props.more}>
        {props.more}
      </span>
    </>
  );
}

function EntryLink({ entry, ...rest }: { entry: TraceEntry; className: string; children: React.ReactNode }) {
  const { kind, key } = entry;
  const sku = entry.sku ?? undefined;
  if (kind === "lot")
    return <Link to="/production/lots/$code" params={{ code: key }} search={{ sku } as never} {...rest} />;
  if (kind === "unit") return <Link to="/units/$sn" params={{ sn: key }} {...rest} />;
  if (kind === "order") return <Link to="/orders/$id" params={{ id: key }} {...rest} />;
  if (kind === "production_order") return <Link to="/production/orders/$code" params={{ code: key }} {...rest} />;
  return <Link to="/recall" search={{ key, kind, sku } as never} {...rest} />;
}
