import { useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { Page } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { JobsPart } from "./jobs";
import { PrintersPart } from "./printers";
import { TemplatesPart } from "./templates";

/** Labels: the printers, every job, the templates. */
export function PrintingPage() {
  const { t } = useLingui();
  const { part } = useParams({ strict: false }) as { part?: string };
  const parts = [
    { key: "printers", label: t`Printers`, body: PrintersPart },
    { key: "jobs", label: t`Jobs`, body: JobsPart },
    { key: "templates", label: t`Templates`, body: TemplatesPart },
  ];
  const current = parts.find((one) => one.key === part) ?? parts[0];
  const Body = current?.body ?? PrintersPart;
  return (
    <Page
      title={t`Labels`}
      tools={<Tabs label={t`Labels`} to="/printing/$part" parts={parts} current={current?.key} />}
    >
      <Body />
    </Page>
  );
}
