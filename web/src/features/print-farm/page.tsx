import { useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { usePlant } from "@/features/core/queries";
import { Select } from "@/ui/field";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { OrdersPart } from "./orders";
import { PartsPart } from "./parts";
import { PrintersPart } from "./printers";
import { chosenSite, useFarmSite } from "./queries";
import { RunsPart } from "./runs";
import { SchedulePart } from "./schedule";

/** The print farm: what to print next, who waits for it, the parts, the printers, every print. */
export function FarmPage() {
  const { t } = useLingui();
  const { part } = useParams({ strict: false }) as { part?: string };
  const parts = [
    { key: "schedule", label: t`Schedule`, body: SchedulePart },
    { key: "orders", label: t`Orders`, body: OrdersPart },
    { key: "parts", label: t`Parts`, body: PartsPart },
    { key: "printers", label: t`Printers`, body: PrintersPart },
    { key: "prints", label: t({ message: "Prints", context: "3D prints" }), body: RunsPart },
  ];
  const current = parts.find((one) => one.key === part) ?? parts[0];
  const Body = current?.body ?? SchedulePart;
  return (
    <Page
      title={t`Print farm`}
      tools={
        <>
          <SiteChoice />
          <Tabs label={t`Print farm`} to="/print-farm/$part" parts={parts} current={current?.key} />
        </>
      }
    >
      <Body />
    </Page>
  );
}

/** Only where there are several sites. */
function SiteChoice() {
  const { t } = useLingui();
  const { data } = usePlant();
  const site = useFarmSite();
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
