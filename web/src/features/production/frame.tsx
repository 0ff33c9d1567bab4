import { useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { usePlant } from "@/features/core/queries";
import { takeScans } from "@/features/workflows/scan/state";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Select } from "@/ui/field";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { chosenSite, useSite } from "./queries";
import { find } from "./station/scan";

/** The frame of every page about production as a whole. */
export function ProductionFrame({ current, children }: { current: string; children: ReactNode }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  useProductionScan();
  const parts = [
    { key: "orders", label: t`Orders`, to: "/production" as const },
    { key: "centres", label: t`Work centres`, to: "/production/centres" as const },
    { key: "routings", label: t`Routings`, to: "/production/routings" as const },
    { key: "approvals", label: t`Approvals`, to: "/production/approvals" as const },
    { key: "quality", label: t`Quality`, to: "/production/quality" as const },
    ...(may(who, "production.import") ? [{ key: "import", label: t`Import`, to: "/production/import" as const }] : []),
  ];
  if (!may(who, "production.read"))
    return <Page title={t`Production`}>{t`Your role does not allow this. Ask a supervisor.`}</Page>;
  return (
    <Page
      title={t`Production`}
      tools={
        <>
          <SiteChoice />
          <Tabs label={t`Production`} parts={parts} current={current} />
        </>
      }
    >
      {children}
    </Page>
  );
}

/** A scanned order opens its page, a lot its own or, with `orders`, that of the order it belongs to; other codes stay what they are. */
export function useProductionScan(first: "orders" | "lots" = "orders"): void {
  const navigate = useNavigate();
  useEffect(
    () =>
      takeScans(async (code) => {
        const found = await find(code, null);
        if (found.kind === "material" && found.lot !== undefined)
          void navigate({
            to: "/production/lots/$code",
            params: { code: found.lot },
            search: { sku: found.sku } as never,
          });
        else if (found.kind === "order" && found.lot !== undefined && first === "lots")
          void navigate({ to: "/production/lots/$code", params: { code: found.lot } });
        else if (found.kind === "order")
          void navigate({ to: "/production/orders/$code", params: { code: found.code } });
        else return false;
        return true;
      }),
    [navigate, first],
  );
}

/** Only where there are several sites. */
export function SiteChoice() {
  const { t } = useLingui();
  const { data } = usePlant();
  const site = useSite();
  if (!data || data.sites.length < 2) return null;
  return (
    <Select quiet label={t`Site`} value={site ?? ""} onChange={(event) => chosenSite.set(event.target.value)}>
      {data.sites.map((one) => (
        <option key={one.code} value={one.code}>
          {one.name}
        </option>
      ))}
    </Select>
  );
}
