import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Badge } from "@/ui/badge";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { LogPrintDialog } from "./log-print";
import { useFarmSite, useSchedule } from "./queries";
import { ScheduleItem } from "./schedule-item";
import { GROUPS, type ScheduleRow } from "./types";
import { formatMinutes, groupName, groupTone } from "./words";

/** What to print next, the most urgent first. */
export function SchedulePart() {
  const { t } = useLingui();
  const schedule = useSchedule(useFarmSite());
  const [logged, setLogged] = useState<ScheduleRow | null>(null);
  return (
    <>
      <Pending of={schedule} />
      {schedule.data?.length === 0 && (
        <Empty>{t`Nothing has to be printed: every order has its parts, and the shelf is full enough.`}</Empty>
      )}
      {GROUPS.map((group) => {
        const rows = schedule.data?.filter((row) => row.priority === group) ?? [];
        return rows.length > 0 && <GroupPanel key={group} group={group} rows={rows} onLog={setLogged} />;
      })}
      {logged && <LogPrintDialog part={logged} onClose={() => setLogged(null)} />}
    </>
  );
}

function GroupPanel(props: { group: string; rows: ScheduleRow[]; onLog: (row: ScheduleRow) => void }) {
  const prints = props.rows.reduce((sum, row) => sum + row.prints_required, 0);
  const minutes = props.rows.reduce((sum, row) => sum + row.minutes_required, 0);
  return (
    <Panel
      title={groupName(props.group)}
      tools={
        <Badge tone={groupTone(props.group)}>
          <Trans>
            Prints: {prints} · {formatMinutes(minutes)}
          </Trans>
        </Badge>
      }
    >
      <ul className="flex flex-col divide-y divide-line">
        {props.rows.map((row) => (
          <ScheduleItem key={row.sku} row={row} onLog={() => props.onLog(row)} />
        ))}
      </ul>
    </Panel>
  );
}
