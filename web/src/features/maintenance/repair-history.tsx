import { useLingui } from "@lingui/react/macro";
import { useSiteZone } from "@/features/production/queries";
import { formatInstant, formatSpan } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Panel } from "@/ui/page";
import type { RepairDetail } from "./types";
import { repairState, repairTone, waitName } from "./words";

/** Every state the repair took, who moved it, and how long it stayed there. */
export function RepairHistory({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  return (
    <Panel title={t`How it went`}>
      <ol className="flex flex-col gap-3">
        {of.history.map((one) => (
          <li key={`${one.at} ${one.status}`} className="border-l-4 border-edge pl-3">
            <p className="flex flex-wrap items-center gap-2">
              <Badge tone={repairTone(one.status)}>{repairState(one.status)}</Badge>
              {one.waits_for && <span>{waitName(one.waits_for)}</span>}
              <span className="text-soft">{formatInstant(one.at, zone)}</span>
              {one.minutes !== null && <b>{formatSpan(one.minutes * 60)}</b>}
            </p>
            <p>
              {one.by} {one.note && <span className="text-soft">{one.note}</span>}
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
