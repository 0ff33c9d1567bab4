import { Trans, useLingui } from "@lingui/react/macro";
import { Eraser, Pencil, Power, PowerOff, Wrench } from "lucide-react";
import { useState } from "react";
import { useNow } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { farm } from "./act";
import { PlateDialog } from "./plate";
import { useFarmZone } from "./queries";
import type { Counters, MachineRow } from "./types";
import {
  fileName,
  formatGrams,
  formatMinutes,
  formatSoon,
  linkWords,
  machineState,
  phaseName,
  problemWords,
  waitingWords,
} from "./words";

/** One printer now: its job, how it is reached, what it wants, what it has done. */
export function PrinterCard({ row, onEdit }: { row: MachineRow; onEdit: () => void }) {
  const { machine, state } = row;
  const [name, tone] = machineState(row.is_stale ? "offline" : (state?.state ?? "offline"));
  const isBusy = !row.is_stale && (state?.state === "printing" || state?.state === "paused");
  return (
    <Panel title={machine.name} tools={<Badge tone={tone}>{name}</Badge>} className="flex flex-col">
      {isBusy && <Job row={row} />}
      {row.waiting_because && (
        <p className={row.waiting_because === "nothing_started" ? "text-soft" : "font-medium"}>
          {waitingWords(row.waiting_because)}
        </p>
      )}
      <Link row={row} />
      <CounterLine counters={row.counters} isDue={row.service_due} />
      <Actions row={row} onEdit={onEdit} />
    </Panel>
  );
}

function Job({ row }: { row: MachineRow }) {
  const { t } = useLingui();
  const zone = useFarmZone();
  const now = useNow();
  const { state } = row;
  if (!state) return null;
  const { layer, total_layers, phase } = state.live;
  const left = state.minutes_left;
  const percent = state.percent === null ? null : Math.round(state.percent);
  const ready = left === null ? null : formatSoon(new Date(now + left * 60_000).toISOString(), zone, now);
  return (
    <div className="mb-2">
      <p className="font-semibold [overflow-wrap:anywhere]">{fileName(state.job_name, state.plate)}</p>
      <div
        role="progressbar"
        aria-label={t`How far the print is`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
        className="my-2 h-3 overflow-hidden rounded-full bg-sunk"
      >
        <div className="h-full bg-accent" style={{ width: `${percent ?? 0}%` }} />
      </div>
      <p className="flex flex-wrap gap-x-3 text-sm">
        {percent !== null && <span className="text-lg font-bold tabular-nums">{formatNumber(percent)} %</span>}
        {phase && <span className="self-center">{phaseName(phase)}</span>}
        {layer != null && total_layers != null && (
          <span className="self-center text-soft">
            <Trans>
              Layer {formatNumber(layer)} of {formatNumber(total_layers)}
            </Trans>
          </span>
        )}
        {left !== null && (
          <span className="self-center text-soft">
            <Trans>
              {formatMinutes(left)} left, done {ready}
            </Trans>
          </span>
        )}
      </p>
      {row.parts && (
        <p className="text-sm">
          <Trans>Gives {row.parts.map((one) => `${formatNumber(one.quantity)} × ${one.sku}`).join(", ")}</Trans>
        </p>
      )}
      {row.problem && <p className="text-sm font-medium text-warn">{problemWords(row.problem)}</p>}
    </div>
  );
}

/** How the bridge reaches it, in words; and for how long nobody has looked. */
function Link({ row }: { row: MachineRow }) {
  const now = useNow(10_000);
  const { machine, state, gaps } = row;
  if (machine.kind === "manual") {
    return (
      <p className="text-sm text-soft">
        <Trans>Nobody watches it: log its prints by hand.</Trans>
      </p>
    );
  }
  const link = state?.link ?? "offline";
  const age = state?.reported_at ? formatAge(now - Date.parse(state.reported_at)) : null;
  const [gap] = gaps;
  return (
    <div className="mt-1 text-sm">
      {row.is_stale ? (
        <p className="font-medium text-bad">
          {age ? (
            <Trans>The bridge has said nothing about it for {age}: is the bridge running?</Trans>
          ) : (
            <Trans>No bridge watches it yet: add it to the bridge with this serial number.</Trans>
          )}
        </p>
      ) : (
        <p className={link === "online" || link === "connecting" ? "text-soft" : "font-medium text-bad"}>
          {linkWords(link)} {row.owner && `(${row.owner})`}
        </p>
      )}
      {gap && (
        <p className="text-soft">
          <Trans>
            Not watched for {formatAge(Date.parse(gap.to_at) - Date.parse(gap.from_at))},{" "}
            {formatAge(now - Date.parse(gap.to_at))} ago
          </Trans>
        </p>
      )}
    </div>
  );
}

function CounterLine({ counters, isDue }: { counters: Counters | null; isDue: boolean }) {
  if (!counters) return null;
  return (
    <p className="mt-1 text-sm text-soft">
      <Trans>
        Prints {formatNumber(counters.jobs)} (failed {formatNumber(counters.failed_jobs)}) ·{" "}
        {formatMinutes(counters.print_minutes)} · {formatGrams(counters.grams)} filament
      </Trans>
      {isDue && (
        <span className="ml-2 font-medium text-warn">
          <Trans>Due for service</Trans>
        </span>
      )}
    </p>
  );
}

function Actions({ row, onEdit }: { row: MachineRow; onEdit: () => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [plate, setPlate] = useState<number | null>(null);
  const { machine, plates } = row;
  const { code, name } = machine;
  const [first] = plates;
  const change = (given: object, said: string) =>
    void farm("upsert_print_machine", { p_code: code, ...given } as never, () => said);
  return (
    <div className="mt-auto flex flex-wrap gap-2 pt-3">
      {first !== undefined && may(who, "farm.log") && (
        <Button look="primary" onClick={() => setPlate(first)} aria-label={t`Clear the plate of ${name}`}>
          <Eraser aria-hidden className="size-5" /> <Trans>Clear the plate</Trans>
          {plates.length > 1 && ` (${plates.length})`}
        </Button>
      )}
      {row.service_due && may(who, "farm.review") && (
        <Button
          onClick={() =>
            void farm("service_print_machine", { p_code: code } as never, () => t`${name}: its hours begin anew.`)
          }
        >
          <Wrench aria-hidden className="size-5" /> <Trans>Serviced</Trans>
        </Button>
      )}
      {may(who, "farm.manage") && (
        <>
          {machine.is_active ? (
            <Button onClick={() => change({ p_is_active: false }, t`${name} is switched off here.`)}>
              <PowerOff aria-hidden className="size-5" /> <Trans>Switch off here</Trans>
            </Button>
          ) : (
            <Button onClick={() => change({ p_is_active: true }, t`${name} is planned for again.`)}>
              <Power aria-hidden className="size-5" /> <Trans>Switch on here</Trans>
            </Button>
          )}
          <Button onClick={onEdit} aria-label={t`Edit ${name}`}>
            <Pencil aria-hidden className="size-5" /> <Trans>Edit</Trans>
          </Button>
        </>
      )}
      {plate !== null && <PlateDialog run={plate} machine={name} onClose={() => setPlate(null)} />}
    </div>
  );
}
