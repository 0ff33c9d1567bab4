import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Plus, Radio, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useNow } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { PrinterCard } from "./printer-card";
import { PrinterDialog } from "./printer-form";
import { useFarmSite, useFarmStatus, useMachineName, useMachines } from "./queries";
import { ReviewQueue } from "./review";
import type { Alarm, Bridge, Machine } from "./types";
import { alarmWords } from "./words";

/** The printers as they are now, what they want from people, and the bridges that watch them. */
export function PrintersPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useFarmSite();
  const machines = useMachines(site);
  const status = useFarmStatus(site);
  const [edited, setEdited] = useState<Machine | null | undefined>();
  return (
    <>
      {status.data && status.data.alarms.length > 0 && <Alarms alarms={status.data.alarms} />}
      <ReviewQueue />
      <Pending of={machines} />
      {machines.data?.length === 0 && (
        <Empty>{t`No printer yet. A bridge that reports one registers it by itself; or add one here.`}</Empty>
      )}
      <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-3">
        {machines.data?.map((row) => (
          <PrinterCard key={row.machine.code} row={row} onEdit={() => setEdited(row.machine)} />
        ))}
      </div>
      {may(who, "farm.manage") && (
        <Button className="self-start" onClick={() => setEdited(null)}>
          <Plus aria-hidden className="size-5" /> <Trans>Add a printer</Trans>
        </Button>
      )}
      {status.data && <Bridges bridges={status.data.bridges} />}
      {edited !== undefined && <PrinterDialog machine={edited} site={site} onClose={() => setEdited(undefined)} />}
    </>
  );
}

function Alarms({ alarms }: { alarms: Alarm[] }) {
  const { t } = useLingui();
  const machineName = useMachineName();
  const now = useNow(5000);
  return (
    <Panel title={<Trans>Look here</Trans>}>
      <ul aria-label={t`Alarms of the farm`} className="flex flex-col divide-y divide-line">
        {alarms.map((alarm) => (
          <li key={`${alarm.code}-${alarm.message}`} className="flex items-center gap-3 py-3">
            <TriangleAlert aria-hidden className="shrink-0 text-bad" />
            <p className="font-medium">{alarmWords(alarm, machineName(alarm.details?.machine ?? null), now)}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Bridges({ bridges }: { bridges: Bridge[] }) {
  const { t } = useLingui();
  return (
    <Panel title={<Trans>Bridges</Trans>}>
      {bridges.length === 0 && (
        <Empty>{t`No bridge yet. It sits in the network of the printers and tells what they do.`}</Empty>
      )}
      <ul className="flex flex-col divide-y divide-line">
        {bridges.map((bridge) => (
          <BridgeItem key={bridge.code} bridge={bridge} />
        ))}
      </ul>
    </Panel>
  );
}

function BridgeItem({ bridge }: { bridge: Bridge }) {
  const now = useNow(5000);
  const age = bridge.last_seen_at ? formatAge(now - Date.parse(bridge.last_seen_at)) : null;
  const waiting = bridge.spool?.ready ?? 0;
  const parked = bridge.spool?.parked ?? 0;
  return (
    <li className="flex flex-wrap items-center gap-3 py-3">
      <Radio aria-hidden className="shrink-0 text-soft" />
      <div className="min-w-0 flex-1">
        <p className="font-semibold">{bridge.name}</p>
        <p className="text-sm text-soft">
          {age ? <Trans>Heard {age} ago</Trans> : <Trans>Never heard</Trans>}
          {bridge.version && <> · {bridge.version}</>}
        </p>
        {bridge.spool?.last_error && <p className="text-sm text-bad">{bridge.spool.last_error}</p>}
      </div>
      <Badge tone={waiting > 0 ? "warn" : "ok"}>
        <Plural value={waiting} _0="Every report is sent" one="# report waits" other="# reports wait" />
      </Badge>
      {parked > 0 && (
        <Badge tone="bad">
          <Trans>Refused, kept for a person: {formatNumber(parked)}</Trans>
        </Badge>
      )}
      {bridge.is_silent && (
        <p className="w-full font-medium text-bad">
          <Trans>It is silent. Is its computer on, and in the network? What it saw meanwhile comes later, whole.</Trans>
        </p>
      )}
    </li>
  );
}
