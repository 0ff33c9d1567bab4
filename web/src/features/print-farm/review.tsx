import { Trans, useLingui } from "@lingui/react/macro";
import { CircleQuestionMark } from "lucide-react";
import { formatInstant } from "@/lib/time";
import { LinkButton } from "@/ui/button";
import { Panel } from "@/ui/page";
import { useFarmSite, useFarmZone, useMachineName, useRuns } from "./queries";
import { fileName, reasonWords } from "./words";

/** Prints that a person has to look at, each with what is odd about it in plain words. Nothing when there are none. */
export function ReviewQueue() {
  const { t } = useLingui();
  const zone = useFarmZone();
  const machineName = useMachineName();
  const runs = useRuns(useFarmSite(), { filter: "attention" });
  if (!runs.data?.length) return null;
  return (
    <Panel title={<Trans>Prints to be looked at</Trans>}>
      <ul aria-label={t`Prints to be looked at`} className="flex flex-col divide-y divide-line">
        {runs.data.map(({ run, machine }) => {
          const name = fileName(run.gcode_filename, run.plate);
          return (
            <li key={run.id} aria-label={name} className="flex flex-wrap items-center gap-3 py-3">
              <CircleQuestionMark aria-hidden className="shrink-0 text-warn" />
              <div className="min-w-0 flex-1">
                <p className="font-semibold [overflow-wrap:anywhere]">{name}</p>
                {run.reasons.map((reason) => (
                  <p key={reason}>{reasonWords(reason)}</p>
                ))}
                <p className="text-sm text-soft">
                  {machineName(machine)} · {formatInstant(run.finished_at, zone)}
                </p>
              </div>
              {run.status === "unmapped" ? (
                <LinkButton to="/print-farm/$part" params={{ part: "parts" }} aria-label={t`Name its parts: ${name}`}>
                  <Trans>Name its parts</Trans>
                </LinkButton>
              ) : (
                <LinkButton
                  to="/print-farm/$part"
                  params={{ part: "prints" }}
                  search={{ run: run.id }}
                  aria-label={t`Decide: ${name}`}
                >
                  <Trans>Decide</Trans>
                </LinkButton>
              )}
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
