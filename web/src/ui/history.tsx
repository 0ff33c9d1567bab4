import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { formatInstant } from "@/lib/time";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";

const FEW = 12;

/** One event as the read RPCs tell it; `at` in ISO. */
export interface HistoryEvent {
  id: number;
  at: string;
  event: string;
  actor_name: string | null;
  station: string | null;
  payload: Record<string, unknown>;
}

interface Props {
  events: HistoryEvent[];
  zone: string;
  /** The event in words. */
  name: (event: string) => string;
  /** The few words that say which one, or why. */
  facts: (event: HistoryEvent) => string;
}

/** What happened, newest first, by the clock of `zone`. */
export function History({ events, zone, name, facts }: Props) {
  const { t } = useLingui();
  const [all, setAll] = useState(false);
  return (
    <Panel title={<Trans>History</Trans>}>
      <ol aria-label={t`History`} className="flex flex-col divide-y divide-line">
        {events.slice(0, all ? undefined : FEW).map((event) => (
          <li key={event.id} className="py-2">
            <p className="font-medium">
              {name(event.event)} <span className="font-normal text-soft">{facts(event)}</span>
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
