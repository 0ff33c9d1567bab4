import { Trans, useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useCentres } from "../queries";
import { workCentre } from "./work";

/** Which work centre does this device stand at? Asked once; scanning the code of another one changes it. */
export function ChooseCentre() {
  const { t } = useLingui();
  const centres = useCentres();
  const list = centres.data?.filter((one) => one.is_active) ?? [];
  const steps = [...new Set(list.map((one) => one.step))];
  return (
    <Panel title={<Trans>Which work centre is this?</Trans>}>
      <p className="mb-4 text-soft">
        <Trans>This device remembers it. Tap it, or scan the code on the machine.</Trans>
      </p>
      <Pending of={centres} />
      {centres.data && list.length === 0 && <Empty>{t`There are no work centres yet. A planner adds them.`}</Empty>}
      <div className="flex flex-col gap-4">
        {steps.map((step) => {
          const here = list.filter((one) => one.step === step);
          return (
            <section key={step} aria-label={here[0]?.step_title ?? step}>
              <h3 className="mb-1 font-semibold">{here[0]?.step_title ?? step}</h3>
              <div className="grid gap-2 sm:grid-cols-2 lg:grid-cols-3">
                {here.map((one) => (
                  <Button
                    key={one.code}
                    className="min-h-20 flex-col items-start! text-left"
                    onClick={() => workCentre.set(one.code)}
                  >
                    <b className="text-lg">{one.title}</b>
                    <span className="flex flex-wrap items-center gap-2 text-sm text-soft">
                      <span className="font-mono">{one.code}</span>
                      {one.is_enabled ? (
                        <Trans>can run: {formatNumber(one.can_run)}</Trans>
                      ) : (
                        <Badge tone="bad">{t`Out of use`}</Badge>
                      )}
                    </span>
                  </Button>
                ))}
              </div>
            </section>
          );
        })}
      </div>
    </Panel>
  );
}
