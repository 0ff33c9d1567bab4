import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { formatInstant } from "@/lib/time";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import type { UnitEvent } from "./types";
import { eventName, resultName } from "./words";

const FEW = 8;

/** What happened to the unit, newest first. */
export function History({ events }: { events: UnitEvent[] }) {
  const { t } = useLingui();
  const zone = useZone();
  const [all, setAll] = useState(false);
  return (
    <Panel title={<Trans>History</Trans>}>
      <ol aria-label={t`History`} className="flex flex-col divide-y divide-line">
        {events.slice(0, all ? undefined : FEW).map((event) => (
          <li key={event.id} className="py-2">
            <p className="font-medium">
              {eventName(event.event)} <span className="font-normal text-soft">{facts(event)}</span>
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

/** The few words that say which one, or why. */
function facts({ payload }: UnitEvent): string {
  const blockers = payload.blockers as { message: string }[] | undefined;
  const known = [
    payload.result && `${String(payload.test)}: ${resultName(String(payload.result))}`,
    payload.variant,
    payload.fw_version,
    payload.sku,
    payload.lot,
    payload.component_sn,
    payload.kit_id,
    payload.box,
    payload.order,
    payload.location,
    payload.reason,
    payload.notes,
    blockers?.map((one) => one.message).join(" "),
  ];
  return known.filter(Boolean).map(String).join(" · ");
}
