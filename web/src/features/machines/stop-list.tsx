import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatSpan, formatTime } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Swatch } from "@/ui/charts/key";
import { ClassifyDialog, ReasonButtons } from "./classify";
import type { StopRow } from "./types";
import { lookOf, lossName } from "./words";

/** Which reasons these stops have, the most frequent first. */
export function frequent(stops: StopRow[]): string[] {
  const counts = new Map<string, number>();
  for (const { reason } of stops) if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]).map(([reason]) => reason);
}

const keyOf = (stop: StopRow) => `${stop.machine} ${stop.starts_at} ${stop.kind} ${stop.reason}`;

/** Stops, the latest first; those without a reason ask for it. */
export function StopList(props: { stops: StopRow[]; often: string[]; label: string; withMachine?: boolean }) {
  return (
    <ul aria-label={props.label} className="flex flex-col gap-2">
      {props.stops.map((stop) => (
        <li key={keyOf(stop)} className="flex flex-col gap-2 rounded-xl border border-line bg-panel p-3">
          <StopFacts stop={stop} withMachine={props.withMachine ?? false} />
          {stop.kind === "stop" && stop.reason === null && <ReasonButtons stop={stop} often={props.often} />}
        </li>
      ))}
    </ul>
  );
}

function StopFacts({ stop, withMachine }: { stop: StopRow; withMachine: boolean }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const { who } = useStore(session);
  const [isOpen, setOpen] = useState(false);
  const until = stop.ends_at ? formatTime(stop.ends_at, zone) : t`now`;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <Swatch look={lookOf(stop)} />
      <p className="min-w-0 flex-1 basis-64">
        {withMachine && (
          <Link to="/machine/$code" params={{ code: stop.machine }} className="font-mono underline">
            {stop.machine}
          </Link>
        )}{" "}
        <b>{lossName(stop)}</b>{" "}
        <span className="text-soft">
          {stop.starts_at ? formatInstant(stop.starts_at, zone) : t`nobody knows since when`} – {until}
        </span>
        {stop.comment && <span className="block">{stop.comment}</span>}
      </p>
      <b>{formatSpan(stop.seconds ?? stop.lost_s)}</b>
      {stop.ends_at === null && (
        <Badge tone="bad">
          <Trans>It lasts</Trans>
        </Badge>
      )}
      {stop.repair_ids.map((id) => (
        <Link
          key={id}
          to="/maintenance/repairs/$id"
          params={{ id: String(id) }}
          className="inline-flex min-h-12 items-center underline"
        >
          <Trans>Repair {id}</Trans>
        </Link>
      ))}
      {stop.reason !== null && may(who, "stops.report") && (
        <Button look="quiet" onClick={() => setOpen(true)}>
          <Trans>Change</Trans>
        </Button>
      )}
      {isOpen && <ClassifyDialog stop={stop} onClose={() => setOpen(false)} />}
    </div>
  );
}

/** How many there are, and how long they took together. */
export function StopSum({ stops }: { stops: StopRow[] }) {
  const seconds = stops.reduce((sum, one) => sum + one.lost_s, 0);
  return (
    <p role="status" className="text-soft">
      <Plural value={stops.length} one="# stop" other="# stops" /> ·{" "}
      <Trans>{formatSpan(seconds)} of planned time</Trans>
    </p>
  );
}
