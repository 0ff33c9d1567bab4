import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty } from "@/ui/states";
import { StatusBadge } from "./rows";
import type { TraceEntry, UnitDetail } from "./types";
import { kindName } from "./words";

/** What the unit is made of, and where it went. */
export function Genealogy({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const { genealogy, unit } = detail;
  const quantities = new Map(genealogy.edges.map((edge) => [`${edge.parent}>${edge.child}`, edge.quantity]));
  const directly = (entry: TraceEntry) => quantities.get(`${entry.node}>${genealogy.node}`);
  return (
    <Panel
      title={<Trans>Where it comes from, where it went</Trans>}
      tools={
        <LinkButton to="/recall" search={{ key: unit.sn, kind: "unit" } as never}>
          <Trans>Trace it</Trans>
        </LinkButton>
      }
    >
      <div className="grid gap-4 lg:grid-cols-2">
        <section>
          <h3 className="font-semibold">
            <Trans>Made of</Trans>
          </h3>
          {genealogy.made_of.length === 0 && <Empty>{t`No part was recorded.`}</Empty>}
          <ul aria-label={t`Made of`} className="divide-y divide-line">
            {genealogy.made_of.map((entry) => (
              <Entry key={entry.node} entry={entry} quantity={directly(entry)} />
            ))}
          </ul>
        </section>
        <section>
          <h3 className="font-semibold">
            <Trans>Went into</Trans>
          </h3>
          {genealogy.went_into.length === 0 && <Empty>{t`It is still on its own.`}</Empty>}
          <ul aria-label={t`Went into`} className="divide-y divide-line">
            {genealogy.went_into.map((entry) => (
              <Entry key={entry.node} entry={entry} />
            ))}
          </ul>
        </section>
      </div>
    </Panel>
  );
}

/** One thing of a trace, with the way to it. */
export function Entry({ entry, quantity }: { entry: TraceEntry; quantity?: number | undefined }) {
  const { kind, key, sku, title, details } = entry;
  const more = [
    quantity !== undefined && `${formatNumber(quantity)} ×`,
    sku,
    title,
    details.customer_name,
    details.supplier,
    details.box_code,
  ].filter(Boolean);
  return (
    <li className="flex min-h-14 flex-wrap items-center gap-x-3 gap-y-1 py-1">
      <Badge>{kindName(kind)}</Badge>
      <EntryLink entry={entry}>
        {kind === "order" ? (details.order_number ? `#${details.order_number}` : key) : key}
      </EntryLink>
      <span className="min-w-0 flex-1 text-sm text-soft">{more.join(" · ")}</span>
      {kind === "unit" && entry.status && <StatusBadge status={entry.status} />}
      {kind === "lot" && entry.held_at && (
        <Badge tone="bad">
          <Trans>On hold</Trans>
        </Badge>
      )}
      {entry.hold_reason && <span className="w-full text-sm text-bad">{entry.hold_reason}</span>}
    </li>
  );
}

const LINK = "inline-flex min-h-12 items-center font-mono font-semibold underline";

function EntryLink({ entry, children }: { entry: TraceEntry; children: string }) {
  const { kind, key, sku } = entry;
  if (kind === "unit")
    return (
      <Link to="/units/$sn" params={{ sn: key }} className={LINK}>
        {children}
      </Link>
    );
  if (kind === "order")
    return (
      <Link to="/orders/$id" params={{ id: key }} className={LINK}>
        {children}
      </Link>
    );
  return (
    <Link to="/recall" search={{ key, kind, sku: sku ?? undefined } as never} className={LINK}>
      {children}
    </Link>
  );
}
