import { useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { SettingsPart } from "@/features/settings/settings";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { DevicesPart } from "./devices";
import { RolesPart } from "./roles";
import { StaffPart } from "./staff";

export function AdminPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { part } = useParams({ strict: false }) as { part?: string };
  const parts: { key: string; label: string; shown: boolean; body: () => ReactNode }[] = [
    { key: "staff", label: t`People`, shown: may(who, "staff.read"), body: () => <StaffPart /> },
    { key: "roles", label: t`Roles`, shown: may(who, "plant.read"), body: () => <RolesPart /> },
    { key: "devices", label: t`Devices`, shown: may(who, "devices.read"), body: () => <DevicesPart /> },
    { key: "settings", label: t`Settings`, shown: may(who, "settings.read"), body: () => <SettingsPart /> },
  ].filter((one) => one.shown);
  const current = parts.find((one) => one.key === part) ?? parts[0];
  return (
    <Page title={t`Admin`} tools={<Tabs label={t`Admin`} to="/admin/$part" parts={parts} current={current?.key} />}>
      {current?.body()}
    </Page>
  );
}
