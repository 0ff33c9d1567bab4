import { useLingui } from "@lingui/react/macro";
import type { ReactNode } from "react";
import { useMachineScan } from "@/features/machines/frame";
import { SiteChoice } from "@/features/production/frame";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";

/** The frame of every page about keeping machines in order. */
export function MaintenanceFrame({ current, children }: { current: string; children: ReactNode }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const parts = [
    { key: "repairs", label: t`Repairs`, to: "/maintenance" as const },
    { key: "plans", label: t`Plans`, to: "/maintenance/plans" as const },
    { key: "history", label: t`History`, to: "/maintenance/history" as const },
    { key: "machines", label: t`Machines and lines`, to: "/maintenance/machines" as const },
  ];
  useMachineScan();
  if (!may(who, "maintenance.read"))
    return <Page title={t`Maintenance`}>{t`Your role does not allow this. Ask a supervisor.`}</Page>;
  return (
    <Page
      title={t`Maintenance`}
      tools={
        <>
          <SiteChoice />
          <Tabs label={t`Maintenance`} parts={parts} current={current} />
        </>
      }
    >
      {children}
    </Page>
  );
}
