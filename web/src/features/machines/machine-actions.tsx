import { Trans, useLingui } from "@lingui/react/macro";
import { CirclePlay, CircleStop, ClockPlus, Hand, QrCode, Timer, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { NewRepairDialog } from "@/features/maintenance/new-repair";
import { QrDialog } from "@/features/maintenance/qr";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button, LinkButton } from "@/ui/button";
import { order } from "./act";
import { DowntimeDialog } from "./downtime";
import { IdealDialog } from "./ideal";
import type { Andon, StopChange } from "./types";

/** What one can say about a machine: that it stands, that it runs again, that something is wrong. */
export function MachineActions({ of }: { of: Andon }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [open, setOpen] = useState<"repair" | "qr" | "downtime" | "ideal" | null>(null);
  const stands = of.stop_id !== null && of.state === "stopped";
  const end = () =>
    void order<StopChange>("end_stop", { p_machine: of.machine } as never, () => t`${of.machine} runs again.`);
  const stop = () =>
    void order<StopChange>(
      "start_stop",
      { p_machine: of.machine } as never,
      () => t`${of.machine} stands.`,
      () => ({ label: t`It runs again`, run: end }),
    );
  const answer = () =>
    void order<StopChange>("answer_stop", { p_machine: of.machine } as never, ({ changed }) =>
      changed ? t`You are on it.` : t`Somebody is on it already.`,
    );
  return (
    <div className="flex flex-wrap gap-2">
      {may(who, "stops.report") &&
        (stands ? (
          <Button look="primary" className="min-h-14" onClick={end}>
            <CirclePlay aria-hidden /> <Trans>It runs again</Trans>
          </Button>
        ) : (
          <Button className="min-h-14" onClick={stop}>
            <CircleStop aria-hidden /> <Trans>It stands</Trans>
          </Button>
        ))}
      {of.called_role && !of.answered_by_name && may(who, "stops.report") && (
        <Button look="primary" className="min-h-14" onClick={answer}>
          <Hand aria-hidden /> <Trans>I am on it</Trans>
        </Button>
      )}
      {may(who, "maintenance.report") && (
        <Button className="min-h-14" onClick={() => setOpen("repair")}>
          <TriangleAlert aria-hidden /> <Trans>Report a problem</Trans>
        </Button>
      )}
      {may(who, "stops.report") && (
        <Button className="min-h-14" onClick={() => setOpen("downtime")}>
          <ClockPlus aria-hidden /> <Trans>Enter a downtime</Trans>
        </Button>
      )}
      <LinkButton to="/machines/shift" search={{ machine: of.machine } as never} className="min-h-14">
        <Trans>Shift board</Trans>
      </LinkButton>
      <LinkButton to="/machines/oee" search={{ machine: of.machine } as never} className="min-h-14">
        <Trans>OEE by day</Trans>
      </LinkButton>
      {may(who, "maintenance.manage") && (
        <Button className="min-h-14" onClick={() => setOpen("qr")}>
          <QrCode aria-hidden /> <Trans>Its QR code</Trans>
        </Button>
      )}
      {may(who, "kpi.plan") && (
        <Button className="min-h-14" onClick={() => setOpen("ideal")}>
          <Timer aria-hidden /> <Trans>Ideal cycle</Trans>
        </Button>
      )}
      {open === "ideal" && <IdealDialog machine={of.machine} name={of.name} onClose={() => setOpen(null)} />}
      {open === "repair" && <NewRepairDialog machine={of.machine} onClose={() => setOpen(null)} />}
      {open === "qr" && <QrDialog machine={of.machine} name={of.name} onClose={() => setOpen(null)} />}
      {open === "downtime" && <DowntimeDialog machine={of.machine} onClose={() => setOpen(null)} />}
    </div>
  );
}
