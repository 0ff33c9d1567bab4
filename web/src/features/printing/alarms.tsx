import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { formatAge } from "@/lib/time";
import { Panel } from "@/ui/page";
import { OutcomeButtons } from "./outcome";
import { usePrintAlarms } from "./queries";

/** What a person should do now, the doubtful labels first. Nothing when all is well. */
export function AlarmList() {
  const { t } = useLingui();
  const now = useNow(5000);
  const alarms = usePrintAlarms();
  if (!alarms.data?.length) return null;
  return (
    <Panel title={<Trans>Look here</Trans>}>
      <ul aria-label={t`Alarms`} className="flex flex-col divide-y divide-line">
        {alarms.data.map((alarm) => (
          <li
            key={`${alarm.kind}-${alarm.printer}-${alarm.job_id}-${alarm.subject}`}
            className="flex flex-wrap items-center gap-3 py-3"
          >
            <TriangleAlert aria-hidden className="shrink-0 text-bad" />
            <p className="min-w-0 flex-1">
              <span className="font-medium">{alarm.message}</span>{" "}
              <span className="text-sm text-soft">
                <Trans>for {formatAge(now - Date.parse(alarm.since))}</Trans>
              </span>
            </p>
            {alarm.kind === "print.unknown" && alarm.job_id !== null && <OutcomeButtons job={alarm.job_id} />}
            {alarm.job_id !== null && (
              <Link
                to="/printing/jobs/$id"
                params={{ id: String(alarm.job_id) }}
                className="flex min-h-12 items-center rounded-lg px-3 underline hover:bg-sunk"
              >
                <Trans>Show the job</Trans>
              </Link>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
