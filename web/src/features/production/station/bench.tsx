import { Trans, useLingui } from "@lingui/react/macro";
import { Play, Undo2 } from "lucide-react";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { Unanswered, useUnanswered } from "@/features/core/unanswered";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { dueInWords, formatNumber, plantDay } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Counts } from "../counts";
import type { Work } from "../types";
import { priorityName, priorityTone, stepState, stepTone } from "../words";
import type { Actions } from "./actions";
import { CountButtons } from "./count";
import { Defects } from "./defects";
import { EndDialog, PauseDialog } from "./dialogs";
import { MaterialForm, Materials } from "./material";
import { ReportDialog } from "./report";
import { OpenRecords } from "./rework";
import type { Station } from "./work";

/** The order that is worked on: where its pieces are, and every step with big buttons. */
export function Bench({ station, actions, on }: { station: Station; actions: Actions; on: Work }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const done = on.status === "COMPLETED";
  const press = station.press;
  return (
    <Panel>
      <Head on={on} station={station} />
      <Unanswered entity={on.code} />
      <Counts of={on} canStart={on.can_start} />
      {on.instructions && <p className="mt-3 rounded-lg bg-info-bg p-3 text-info">{on.instructions}</p>}
      {!on.can_run && !done && on.why && (
        <p role="note" className="mt-3 rounded-lg bg-warn-bg p-3 font-medium text-warn">
          {on.why}
        </p>
      )}
      {done && <Done on={on} />}
      {station.lot && (
        <p className="mt-3">
          <Trans>What is reported now is of the lot {station.lot}.</Trans>
        </p>
      )}
      {may(who, "production.run") ? (
        <div className="mt-4 flex flex-col gap-4">
          {!done && <StartButton on={on} press={press} actions={actions} />}
          {!done && <CountButtons key={`${on.code} ${on.sequence}`} on={on} press={press} actions={actions} />}
          {!done && <Defects on={on} centre={station.centre} press={press} actions={actions} />}
          {station.material ? (
            <MaterialForm station={station} on={on} material={station.material} actions={actions} />
          ) : (
            !done && <Materials on={on} />
          )}
          <OpenRecords on={on} press={press} actions={actions} />
          <More
            key={`more ${on.code} ${on.sequence}`}
            centre={station.centre}
            on={on}
            press={press}
            actions={actions}
          />
        </div>
      ) : (
        <p className="mt-4 text-soft">{t`Your role looks at production and does not report.`}</p>
      )}
    </Panel>
  );
}

function Head({ on, station }: { on: Work; station: Station }) {
  const zone = useZone();
  const due = dueInWords(on.due_date, plantDay(zone));
  return (
    <div className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-1">
      <span className="font-mono text-2xl! font-bold">{on.code}</span>
      <Badge tone={stepTone(on.status)}>{stepState(on.status)}</Badge>
      {on.priority !== "normal" && <Badge tone={priorityTone(on.priority)}>{priorityName(on.priority)}</Badge>}
      <span className="min-w-0 flex-1 basis-48">
        <span className="block text-lg">{on.product_title ?? on.product_sku}</span>
        <span className="block text-sm text-soft">
          {on.step_title} · {due.text}
          {on.root && (
            <>
              {" · "}
              <Trans>Made again for {on.root}</Trans>
            </>
          )}
        </span>
      </span>
      <Button look="quiet" onClick={station.clear}>
        <Trans>Put it aside</Trans>
      </Button>
    </div>
  );
}

function Done({ on }: { on: Work }) {
  const place = on.next?.work_centre ?? "";
  return (
    <p className="mt-3 rounded-lg bg-ok-bg p-3 text-lg font-semibold text-ok">
      {!on.next ? (
        <Trans>This was the last step.</Trans>
      ) : place ? (
        <Trans>
          Done here. Next: {on.next.title} at {place}
        </Trans>
      ) : (
        <Trans>Done here. Next: {on.next.title}</Trans>
      )}
    </p>
  );
}

interface Part {
  on: Work;
  press: Station["press"];
  actions: Actions;
}

function StartButton({ on, press, actions }: Part) {
  if (on.status !== "PAUSED" && Number(on.can_start) === 0) return null;
  const isLoud = on.status === "PAUSED" || Number(on.waiting) === 0;
  return (
    <Button
      look={isLoud ? "primary" : "plain"}
      className="min-h-16 w-full text-xl"
      onClick={() => press(actions.start(null))}
    >
      <Play aria-hidden />
      {on.status === "PAUSED" ? <Trans>Go on</Trans> : <Trans>Start {formatNumber(Number(on.can_start))}</Trans>}
    </Button>
  );
}

/** Rarer things: figures for a whole shift, a pause, an early end, the way back. */
function More({ on, press, actions, centre }: Part & { centre: string }) {
  const [open, setOpen] = useState<"report" | "pause" | "end" | null>(null);
  const close = () => setOpen(null);
  const done = on.status === "COMPLETED";
  const unanswered = useUnanswered(on.code); // until its answer is here nobody knows which report is the last one
  return (
    <div className="flex flex-wrap gap-2 border-t border-line pt-4">
      {!done && (
        <Button onClick={() => setOpen("report")}>
          <Trans>Report in figures</Trans>
        </Button>
      )}
      {on.status === "IN_PROGRESS" && (
        <Button onClick={() => setOpen("pause")}>
          <Trans>Pause</Trans>
        </Button>
      )}
      {!done && !on.previous && Number(on.started) > 0 && Number(on.in_process) === 0 && (
        <Button onClick={() => setOpen("end")}>
          <Trans>End it early</Trans>
        </Button>
      )}
      {on.undo_id !== null && unanswered.length === 0 && (
        <Button className="ml-auto" onClick={() => press(actions.undo())}>
          <Undo2 aria-hidden /> <Trans>Undo my last report</Trans>
        </Button>
      )}
      {open === "report" && <ReportDialog on={on} centre={centre} press={press} actions={actions} onClose={close} />}
      {open === "pause" && <PauseDialog on={on} press={press} actions={actions} onClose={close} />}
      {open === "end" && <EndDialog on={on} press={press} actions={actions} onClose={close} />}
    </div>
  );
}
