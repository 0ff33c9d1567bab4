import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useSite } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Pending } from "@/ui/states";
import { RepairCard } from "./card";
import { RepairFilters } from "./filters";
import { MaintenanceFrame } from "./frame";
import { NewRepairDialog } from "./new-repair";
import { useFilter, useRepairs } from "./queries";
import type { RepairRow } from "./types";
import { OPEN_STATES, repairState } from "./words";

const URGENCY = ["high", "normal", "low"];

/** What keeps a machine down first, then what is urgent, then what waits longest. */
export function byUrgency(one: RepairRow, other: RepairRow): number {
  return (
    Number(other.repair.is_failure) - Number(one.repair.is_failure) ||
    URGENCY.indexOf(one.repair.priority) - URGENCY.indexOf(other.repair.priority) ||
    one.repair.status_since.localeCompare(other.repair.status_since)
  );
}

/** Every open repair, by what happens to it next. */
export function RepairsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter] = useFilter();
  const repairs = useRepairs(site, filter, true);
  const [isNew, setNew] = useState(false);
  return (
    <MaintenanceFrame current="repairs">
      <div className="flex flex-wrap items-end gap-2">
        <RepairFilters />
        {may(who, "maintenance.report") && (
          <Button look="primary" className="ml-auto" onClick={() => setNew(true)}>
            <Plus aria-hidden className="size-5" /> <Trans>Report a problem</Trans>
          </Button>
        )}
      </div>
      <Pending of={repairs} />
      {repairs.data && (
        <>
          <p role="status" className="text-sm text-soft">
            <Plural value={repairs.data.total} one="# open repair" other="# open repairs" />
          </p>
          <div className="grid gap-3 md:grid-cols-2 lg:grid-cols-3 2xl:grid-cols-6">
            {OPEN_STATES.map((status) => {
              const here = repairs.data.repairs.filter((one) => one.repair.status === status).sort(byUrgency);
              return (
                <section key={status} aria-labelledby={`column-${status}`} className="rounded-2xl bg-sunk p-2">
                  <h2 id={`column-${status}`} className="flex items-baseline gap-2 p-1 pb-2 text-lg font-semibold">
                    <span className="flex-1">{repairState(status)}</span>
                    <span className="text-soft">{formatNumber(here.length)}</span>
                  </h2>
                  <ul className="flex flex-col gap-2">
                    {here.map((row) => (
                      <li key={row.repair.id}>
                        <RepairCard row={row} />
                      </li>
                    ))}
                  </ul>
                  {here.length === 0 && <p className="p-2 text-soft">{t`None`}</p>}
                </section>
              );
            })}
          </div>
        </>
      )}
      {isNew && <NewRepairDialog machine={filter.machine} onClose={() => setNew(false)} />}
    </MaintenanceFrame>
  );
}
