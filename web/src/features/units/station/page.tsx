import { useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Page } from "@/ui/page";
import { Empty } from "@/ui/states";
import { Tabs } from "@/ui/tabs";
import { AssemblyStation } from "./assembly";
import { FlashStation } from "./flash";
import { PackStation } from "./pack";
import { useStationTabs } from "./tabs";
import { TestStation } from "./test";

/** The benches where units are made: scan a unit, do the one step, scan the next. */
export function StationPage() {
  const { t } = useLingui();
  const { part } = useParams({ strict: false }) as { part?: string };
  const { who } = useStore(session);
  const tabs = useStationTabs();
  const parts = [
    { key: "flash", title: t`Flash station`, body: FlashStation, needs: "units.flash" },
    { key: "assembly", title: t`Assembly station`, body: AssemblyStation, needs: "units.assemble" },
    { key: "test", title: t`Test station`, body: TestStation, needs: "units.test" },
    { key: "pack", title: t`Pack station`, body: PackStation, needs: "units.pack" },
  ];
  const current = parts.find((one) => one.key === part) ?? parts.at(-1);
  if (!current) return null;
  const Body = current.body;
  return (
    <Page
      title={current.title}
      tools={<Tabs label={t`Stations`} to="/station/$part" parts={tabs} current={current.key} />}
    >
      {may(who, current.needs) ? (
        <Body key={current.key} />
      ) : (
        <Empty>{t`Your role does not allow this. Ask a supervisor.`}</Empty>
      )}
    </Page>
  );
}
