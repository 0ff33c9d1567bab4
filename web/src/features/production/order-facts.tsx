import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Hourglass } from "lucide-react";
import { useState } from "react";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import type { OrderEvent, OrderLot, OrderPart } from "./plan-types";
import { eventFacts, eventName } from "./plan-words";
import { useSiteZone } from "./queries";

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
export function OrderLots({ lots }: { lots: OrderLot[] }) {
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
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const FEW = 12;

/** What happened, newest first. */
export function OrderHistory({ events }: { events: OrderEvent[] }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [all, setAll] = useState(false);
  return (
    <Panel title={<Trans>History</Trans>}>
      <ol aria-label={t`History`} className="flex flex-col divide-y divide-line">
        {events.slice(0, all ? undefined : FEW).map((event) => (
          <li key={event.id} className="py-2">
            <p className="font-medium">
              {eventName(event.event)} <span className="font-normal text-soft">{eventFacts(event)}</span>
            </p>
            <p className="text-sm text-soft">
              {[formatInstant(event.at, zone), event.actor_name, event.station].filter(Boolean).join(" · ")}
            </p>
          </li>
        ))}
      </ol>
      {events.length > FEW && (
        <Button className="mt-2" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? <Trans>Only the latest</Trans> : <Trans>All {events.length}</Trans>}
        </Button>
      )}
    </Panel>
  );
}
