import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useSite } from "@/features/production/queries";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { ExportButtons } from "@/ui/export-buttons";
import { Empty, Pending } from "@/ui/states";
import { RepairCard } from "./card";
import { RepairFilters } from "./filters";
import { MaintenanceFrame } from "./frame";
import { useFilter, useRepairs } from "./queries";
import { repairState, repairTone } from "./words";

/** Every repair there ever was, the newest first; of one machine with `?machine=`. */
export function HistoryPage() {
  const { t } = useLingui();
  const [filter] = useFilter();
  const site = useSite();
  const repairs = useRepairs(site, filter, false);
  return (
    <MaintenanceFrame current="history">
      <RepairFilters />
      <Pending of={repairs} />
      {repairs.data && (
        <div className="flex flex-wrap items-center gap-3">
          <p role="status" className="text-sm text-soft">
            <Plural value={repairs.data.total} one="# repair" other="# repairs" />
          </p>
          <ExportButtons
            what="repairs"
            query={{ site, machine: filter.machine, line: filter.line, type: filter.type, search: filter.q }}
          />
        </div>
      )}
      {repairs.data?.repairs.length === 0 && <Empty>{t`No such repairs.`}</Empty>}
      <ol aria-label={t`Repairs`} className="flex flex-col gap-2">
        {repairs.data?.repairs.map((row) => (
          <li key={row.repair.id}>
            <RepairCard
              row={row}
              withState={<Badge tone={repairTone(row.repair.status)}>{repairState(row.repair.status)}</Badge>}
            />
          </li>
        ))}
      </ol>
      {repairs.hasNextPage && (
        <Button
          className="self-center"
          disabled={repairs.isFetchingNextPage}
          onClick={() => void repairs.fetchNextPage()}
        >
          <Trans>Show more</Trans>
        </Button>
      )}
    </MaintenanceFrame>
  );
}
