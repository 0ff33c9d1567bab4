import { useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { SettingsPart } from "@/features/settings/settings";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { cx } from "@/ui/cx";
import { Page } from "@/ui/page";
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
    <Page
      title={t`Admin`}
      tools={
        <nav aria-label={t`Admin`} className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
          {parts.map((one) => (
            <Link
              key={one.key}
              to="/admin/$part"
              params={{ part: one.key }}
              aria-current={one === current ? "page" : undefined}
              className={cx(
                "flex min-h-12 items-center rounded-lg px-4",
                one === current ? "bg-panel font-semibold shadow" : "text-soft hover:bg-panel",
              )}
            >
              {one.label}
            </Link>
          ))}
        </nav>
      }
    >
      {current?.body()}
    </Page>
  );
}
