import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, CircleX, Plus } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { BarCode } from "@/ui/codes";
import { Dialog } from "@/ui/dialog";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { CentreForm } from "./centre-form";
import { DisabledNote, SwitchRequest } from "./centre-request";
import { ProductionFrame } from "./frame";
import { useCentres, useSite } from "./queries";
import type { WorkCentre } from "./types";
import { centreType } from "./words";

/** Machines and benches in the order of the work: what each has to do, and whether it is in use. */
export function CentresPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const centres = useCentres();
  const [form, setForm] = useState<WorkCentre | "new" | null>(null);
  const [code, setCode] = useState<WorkCentre | null>(null);
  const list = centres.data?.filter((one) => one.site === site) ?? [];
  const steps = [...new Set(list.map((one) => one.step))];
  const changes = may(who, "production.setup");
  return (
    <ProductionFrame current="centres">
      {changes && (
        <Button look="primary" className="self-start" onClick={() => setForm("new")}>
          <Plus aria-hidden /> <Trans>New work centre</Trans>
        </Button>
      )}
      <Pending of={centres} />
      {centres.data && list.length === 0 && <Empty>{t`There are no work centres yet. A planner adds them.`}</Empty>}
      {steps.map((step) => {
        const here = list.filter((one) => one.step === step);
        return (
          <Panel key={step} title={here[0]?.step_title ?? step}>
            <ul className="grid gap-3 lg:grid-cols-2">
              {here.map((one) => (
                <li key={one.code} className="flex flex-col gap-3 rounded-xl border border-line p-3">
                  <Facts centre={one} />
                  {!one.is_enabled && <DisabledNote centre={one} />}
                  <div className="mt-auto flex flex-wrap gap-2">
                    {one.is_enabled && <SwitchRequest centre={one} />}
                    <Button onClick={() => setCode(one)}>
                      <Trans>Its code</Trans>
                    </Button>
                    {changes && (
                      <Button onClick={() => setForm(one)}>
                        <Trans>Change</Trans>
                      </Button>
                    )}
                  </div>
                </li>
              ))}
            </ul>
          </Panel>
        );
      })}
      {form && <CentreForm centre={form === "new" ? null : form} site={site} onClose={() => setForm(null)} />}
      {code && <CodeDialog centre={code} onClose={() => setCode(null)} />}
    </ProductionFrame>
  );
}

function Facts({ centre }: { centre: WorkCentre }) {
  const { t } = useLingui();
  const facts = [
    centreType(centre.type),
    centre.line && t`Line ${centre.line}`,
    centre.capacity !== null && t`Places: ${formatNumber(centre.capacity)}`,
  ].filter(Boolean);
  return (
    <div className="flex flex-wrap items-start gap-x-3 gap-y-1">
      <div className="min-w-0 flex-1 basis-52">
        <h3 className="text-lg font-semibold">
          {centre.title} <span className="font-mono text-base font-normal text-soft">{centre.code}</span>
        </h3>
        <p className="text-sm text-soft">{facts.join(" · ")}</p>
        <p className="text-sm">
          <Trans>
            Running: {formatNumber(centre.running)} · can run now: {formatNumber(centre.can_run)}
          </Trans>
        </p>
      </div>
      {centre.is_enabled ? (
        <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
          <Trans>In use</Trans>
        </Badge>
      ) : (
        <Badge tone="bad" icon={<CircleX aria-hidden />}>
          <Trans>Out of use</Trans>
        </Badge>
      )}
    </div>
  );
}

/** To be stuck to the machine: scanning it at a station chooses the work centre. */
function CodeDialog({ centre, onClose }: { centre: WorkCentre; onClose: () => void }) {
  const { t } = useLingui();
  return (
    <Dialog
      open
      onClose={onClose}
      title={centre.title}
      note={t`Scanned at a station, this code makes it the station of this work centre.`}
    >
      <BarCode text={centre.code} label={t`Code of ${centre.title}`} className="h-28 w-full" />
      <p className="mt-2 text-center font-mono text-xl">{centre.code}</p>
    </Dialog>
  );
}
