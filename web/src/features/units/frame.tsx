import { useLingui } from "@lingui/react/macro";
import type { ReactNode } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { useUnitScan } from "./act";

/** The frame of every page about many units. A scanned unit opens its page. */
export function UnitsFrame(props: { current: string; children: ReactNode }) {
  useUnitScan();
  return <Framed {...props} />;
}

/** The same for a page that takes scans itself. */
export function Framed({ current, children }: { current: string; children: ReactNode }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const parts = [
    { key: "list", label: t`Units`, to: "/units" as const },
    { key: "finished", label: t`In stock`, to: "/units/finished" as const },
    { key: "variants", label: t`Variants`, to: "/variants" as const },
    { key: "kits", label: t`Kits`, to: "/units/kits" as const },
    { key: "yield", label: t`Yield`, to: "/units/yield" as const },
    { key: "recall", label: t`Recall`, to: "/recall" as const },
  ];
  if (!may(who, "units.read"))
    return <Page title={t`Units`}>{t`Your role does not allow this. Ask a supervisor.`}</Page>;
  return (
    <Page title={t`Units`} tools={<Tabs label={t`Units`} parts={parts} current={current} />}>
      {children}
    </Page>
  );
}
