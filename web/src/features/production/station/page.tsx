import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect } from "react";
import type { Said } from "@/features/units/station/bench";
import { Answer, ButtonCodes } from "@/features/units/station/frame";
import { useStationTabs } from "@/features/units/station/tabs";
import { CodeForm } from "@/features/workflows/scan/panel";
import { takeScans } from "@/features/workflows/scan/state";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Empty, Pending, Trouble } from "@/ui/states";
import { Tabs } from "@/ui/tabs";
import { DisabledNote } from "../centre-request";
import { useCentres, useWorkQueue } from "../queries";
import { actionsOf } from "./actions";
import { Bench } from "./bench";
import { ChooseCentre } from "./choose";
import { failing } from "./fail";
import { Queue } from "./queue";
import { useStation, workCentre } from "./work";

/** Where orders are made: the queue of a work centre, start, count, say what is not good, next. */
export function WorkStationPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const centre = useStore(workCentre);
  const parts = useStationTabs();
  return (
    <Page title={t`Work centre`} tools={<Tabs label={t`Stations`} to="/station/$part" parts={parts} current="work" />}>
      {!may(who, "production.read") ? (
        <Empty>{t`Your role does not allow this. Ask a supervisor.`}</Empty>
      ) : centre === null ? (
        <Unchosen />
      ) : (
        <Station key={centre} centre={centre} />
      )}
    </Page>
  );
}

function Unchosen() {
  const centres = useCentres();
  useEffect(
    () =>
      takeScans(async (code) => {
        const found = centres.data?.find((one) => one.code.toLowerCase() === code.trim().toLowerCase());
        if (found) workCentre.set(found.code);
        return found !== undefined;
      }),
    [centres.data],
  );
  return <ChooseCentre />;
}

function Station({ centre }: { centre: string }) {
  const { t } = useLingui();
  const queue = useWorkQueue(centre);
  const station = useStation(centre, {
    ok: (on) => actionsOf(station).good(1)(on),
    fail: () => {
      failing.set("?");
      return "ask";
    },
  });
  const actions = actionsOf(station);
  const { on, said } = station;
  const next = queue.data?.items.find((one) => one.can_run && (one.code !== on?.code || one.sequence !== on.sequence));
  const isFree = !on || on.status === "COMPLETED" || !on.can_run;
  const idle: Said = { tone: "ask", title: on ? on.code : t`Scan an order, or tap one of the queue.` };
  return (
    <>
      <CentreLine centre={centre} />
      <div className="grid gap-4 xl:grid-cols-[1fr_24rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <div role="status" aria-live="polite">
            <Answer said={said ?? idle} isNews={said !== null} />
          </div>
          <Trouble of={station.reading} />
          {on && <Bench station={station} actions={actions} on={on} />}
          {on === null && <Empty>{t`This order has nothing to do here.`}</Empty>}
          {isFree && next && (
            <Button look="primary" className="min-h-16 w-full text-xl" onClick={() => station.open(next)}>
              <Trans>Next: {next.code}</Trans>
            </Button>
          )}
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Queue centre={centre} on={on} onOpen={station.open} />
          <Panel className="p-0!">
            <CodeForm example="P-1042" />
          </Panel>
          <ButtonCodes ok={t`One good piece`} fail={t`Not good`} />
        </div>
      </div>
    </>
  );
}

/** Which work centre this is, whether it is in use, and the way to another one. */
function CentreLine({ centre }: { centre: string }) {
  const centres = useCentres();
  const here = centres.data?.find((one) => one.code === centre);
  return (
    <>
      <Pending of={centres} />
      <div className="flex flex-wrap items-center gap-3">
        <p className="mr-auto text-xl">
          <b>{here?.title ?? centre}</b>
          {here && (
            <span className="ml-2 text-base text-soft">
              {here.step_title} {here.line && `· ${here.line}`}
            </span>
          )}
        </p>
        <Button onClick={() => workCentre.set(null)}>
          <Trans>Another work centre</Trans>
        </Button>
      </div>
      {here && !here.is_enabled && <DisabledNote centre={here} />}
    </>
  );
}
