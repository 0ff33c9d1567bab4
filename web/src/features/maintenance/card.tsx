import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleStop, UserRound } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { formatAge } from "@/lib/time";
import { Badge } from "@/ui/badge";
import type { RepairRow } from "./types";
import { repairTitle, urgencyName, urgencyTone, waitName } from "./words";

/** A repair on a board or in a list; `children` stands below it. */
export function RepairCard({ row, withState }: { row: RepairRow; withState?: React.ReactNode }) {
  const { t } = useLingui();
  const now = useNow();
  const { repair } = row;
  return (
    <Link
      to="/maintenance/repairs/$id"
      params={{ id: String(repair.id) }}
      className="flex flex-col gap-1 rounded-xl border border-line bg-panel p-3 hover:bg-sunk"
    >
      <span className="flex items-start gap-2">
        <b className="min-w-0 flex-1 text-lg leading-tight">{repairTitle(row)}</b>
        <span className="font-mono text-soft">{repair.id}</span>
      </span>
      <span>
        {row.machine_name} <span className="font-mono text-sm text-soft">{repair.machine}</span>
      </span>
      <span className="flex flex-wrap gap-1">
        {withState}
        {repair.is_down && repair.type === "unscheduled" && (
          <Badge tone="bad" icon={<CircleStop aria-hidden />}>
            <Trans>Machine stands</Trans>
          </Badge>
        )}
        {repair.type === "scheduled" && (
          <Badge tone="info">
            <Trans>Planned work</Trans>
          </Badge>
        )}
        {repair.priority !== "normal" && (
          <Badge tone={urgencyTone(repair.priority)}>{urgencyName(repair.priority)}</Badge>
        )}
        {repair.waits_for && <Badge tone="warn">{waitName(repair.waits_for)}</Badge>}
        {repair.reports > 1 && (
          <Badge>
            <Plural value={repair.reports} one="reported once" other="reported # times" />
          </Badge>
        )}
      </span>
      <span className="flex flex-wrap items-center gap-x-2 text-sm text-soft">
        <span>{t`since ${formatAge(now - Date.parse(repair.status_since))}`}</span>
        {row.assignee && (
          <span className="inline-flex items-center gap-1">
            <UserRound aria-hidden className="size-4" /> {row.assignee}
          </span>
        )}
      </span>
    </Link>
  );
}
