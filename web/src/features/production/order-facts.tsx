import { Trans } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Hourglass } from "lucide-react";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { History, type HistoryEvent } from "@/ui/history";
import { Panel } from "@/ui/page";
import { LabelButton } from "./label";
import type { OrderLot, OrderPart } from "./plan-types";
import { eventFacts, eventName } from "./plan-words";
import { useProcessSteps, useSiteZone } from "./queries";

/** What it is made of, and whether it is there. */
export function OrderParts({ parts }: { parts: OrderPart[] }) {
  if (parts.length === 0) return null;
  return (
    <Panel title={<Trans>Parts</Trans>}>
      <ul className="flex flex-col divide-y divide-line">
        {parts.map((one) => {
          const [there, needed, missing] = [Number(one.allocated) + Number(one.consumed), one.needed, one.missing].map(
            (value) => formatNumber(Number(value)),
          );
          return (
            <li key={one.line} className="flex flex-wrap items-center gap-2 py-2">
              <span className="min-w-0 flex-1 basis-40">
                {one.title} <span className="font-mono text-sm text-soft">{one.sku}</span>
              </span>
              <Trans>
                {there} of {needed}
              </Trans>
              {Number(one.missing) > 0 ? (
                <Badge tone="warn" icon={<Hourglass aria-hidden />}>
                  <Trans>Missing: {missing}</Trans>
                </Badge>
              ) : (
                <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
                  <Trans>All there</Trans>
                </Badge>
              )}
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

/** Its lots: what is left of them, and what is on hold. */
export function OrderLots({ lots, order }: { lots: OrderLot[]; order: string }) {
  if (lots.length === 0) return null;
  return (
    <Panel title={<Trans>Lots</Trans>}>
      <ul className="flex flex-col divide-y divide-line">
        {lots.map((one) => (
          <li key={one.lot_id} className="flex flex-wrap items-center gap-2 py-2">
            <Link
              to="/production/lots/$code"
              params={{ code: one.code }}
              search={{ sku: one.sku } as never}
              className="inline-flex min-h-12 min-w-0 flex-1 basis-40 items-center font-mono font-semibold underline"
            >
              {one.code}
            </Link>
            <Trans>
              {formatNumber(Number(one.good))} finished of {formatNumber(Number(one.remaining))}
            </Trans>
            {one.held_at && (
              <Badge tone="bad">
                <Trans>On hold: {one.hold_reason}</Trans>
              </Badge>
            )}
            {one.code !== order && <LabelButton code={order} lot={one.code} label={one.label} />}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What happened to an order or a lot. */
export function ProductionHistory({ events }: { events: HistoryEvent[] }) {
  const steps = useProcessSteps().data ?? [];
  return <History events={events} zone={useSiteZone()} name={eventName} facts={(event) => eventFacts(event, steps)} />;
}
