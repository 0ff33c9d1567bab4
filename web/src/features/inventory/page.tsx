import { useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { AlarmsPart } from "./alarms";
import { CountsPart } from "./counts";
import { ImportPart } from "./import";
import { ItemsPart } from "./items";
import { PlacesPart } from "./places";
import { ProductsPart } from "./products";
import { PushesPart } from "./pushes";
import { RulesPart } from "./rules";
import { useItemScan } from "./scan";

/** Stock: what is there, what needs a look, counts, imports, what products and orders take, places, what shops were told. */
export function StockPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { part } = useParams({ strict: false }) as { part?: string };
  useItemScan();
  const parts = [
    { key: "items", label: t`Items`, body: ItemsPart, shown: true },
    { key: "alarms", label: t`Alarms`, body: AlarmsPart, shown: true },
    { key: "counts", label: t`Count`, body: CountsPart, shown: may(who, "inventory.count") },
    { key: "products", label: t`Products`, body: ProductsPart, shown: true },
    { key: "rules", label: t`Order rules`, body: RulesPart, shown: true },
    { key: "places", label: t`Places`, body: PlacesPart, shown: true },
    { key: "import", label: t`Import`, body: ImportPart, shown: may(who, "inventory.manage") },
    { key: "pushes", label: t`Shops`, body: PushesPart, shown: true },
  ].filter((one) => one.shown);
  const current = parts.find((one) => one.key === part) ?? parts[0];
  const Body = current?.body ?? ItemsPart;
  return (
    <Page title={t`Stock`} tools={<Tabs label={t`Stock`} to="/stock/$part" parts={parts} current={current?.key} />}>
      <Body />
    </Page>
  );
}
