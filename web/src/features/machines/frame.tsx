import { useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { useMachines } from "@/features/maintenance/queries";
import { SiteChoice } from "@/features/production/frame";
import { useSite } from "@/features/production/queries";
import { takeScans } from "@/features/workflows/scan/state";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { ChartPatterns } from "@/ui/charts/patterns";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";

/** A scanned machine, by its code or its asset number, opens its page. */
export function useMachineScan(): void {
  const navigate = useNavigate();
  const machines = useMachines(useSite(), {}).data;
  useEffect(
    () =>
      takeScans(async (code) => {
        const wanted = code.trim().toLowerCase();
        const found = machines?.find(({ machine }) =>
          [machine.code, machine.asset_number].some((one) => one?.toLowerCase() === wanted),
        );
        if (found) void navigate({ to: "/machine/$code", params: { code: found.machine.code } });
        return found !== undefined;
      }),
    [navigate, machines],
  );
}

/** The frame of every page about what machines do. */
export function MachinesFrame({ current, children }: { current: string; children: ReactNode }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const parts = [
    { key: "andon", label: t`Now`, to: "/machines" as const },
    { key: "stops", label: t`Stops`, to: "/machines/stops" as const },
    { key: "micro", label: t`Micro-stops`, to: "/machines/micro" as const },
    { key: "oee", label: t`OEE`, to: "/machines/oee" as const },
    { key: "shift", label: t`Shift`, to: "/machines/shift" as const },
    { key: "reliability", label: t`Reliability`, to: "/machines/reliability" as const },
    { key: "handover", label: t`Handover`, to: "/machines/handover" as const },
    { key: "calendar", label: t`Calendar`, to: "/machines/calendar" as const },
  ];
  useMachineScan();
  if (!may(who, "kpi.read"))
    return <Page title={t`Machines`}>{t`Your role does not allow this. Ask a supervisor.`}</Page>;
  return (
    <Page
      title={t`Machines`}
      tools={
        <>
          <SiteChoice />
          <Tabs label={t`Machines`} parts={parts} current={current} />
        </>
      }
    >
      <ChartPatterns />
      {children}
    </Page>
  );
}
