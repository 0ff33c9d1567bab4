import { Trans, useLingui } from "@lingui/react/macro";
import { Badge } from "@/ui/badge";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { Counts } from "./counts";
import { Flow } from "./flow";
import type { StepDetail } from "./plan-types";
import { stepState, stepTone } from "./words";

/** The way of the pieces: every step with what is good, in work and lost there. */
export function StepFlow({ steps }: { steps: StepDetail[] }) {
  const { t } = useLingui();
  return (
    <Panel title={<Trans>Steps</Trans>}>
      <Flow label={t`Steps`} of={steps} keyOf={(one) => one.sequence} show={(one) => <Step of={one} />} />
    </Panel>
  );
}

function Step({ of }: { of: StepDetail }) {
  const isNow = of.status === "IN_PROGRESS" || of.status === "PAUSED";
  const place = of.work_centre ?? of.work_centres.map((one) => one.code).join(", ");
  const out = of.work_centres.filter((one) => !one.is_enabled).map((one) => one.title);
  return (
    <div
      className={cx(
        "flex min-w-0 flex-1 flex-col gap-2 rounded-xl border-2 p-3",
        isNow ? "border-accent" : "border-line",
      )}
    >
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="mr-auto font-semibold">{of.title}</h3>
        <Badge tone={stepTone(of.status)}>{stepState(of.status)}</Badge>
      </div>
      <p className="text-sm text-soft">{place}</p>
      <Counts of={of} small {...(of.status !== "COMPLETED" && { canStart: Number(of.can_start) })} />
      {of.status === "PAUSED" && of.pause_reason && (
        <p className="text-sm text-warn">
          <Trans>Paused: {of.pause_reason}</Trans>
        </p>
      )}
      {out.length > 0 && of.status !== "COMPLETED" && (
        <p className="text-sm text-bad">
          <Trans>Out of use: {out.join(", ")}</Trans>
        </p>
      )}
      {of.why && of.status !== "COMPLETED" && <p className="text-sm text-soft">{of.why.message}</p>}
    </div>
  );
}
