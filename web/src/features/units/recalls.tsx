import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { unitCommand } from "./act";
import { CountForm } from "./count-form";
import { useRecalls } from "./queries";
import type { RecallEntry, ReleaseResult, TraceQuery } from "./types";

/** What is on hold because of an earlier recall, and the way to let go of it. */
export function Recalls({ onTrace }: { onTrace: (query: TraceQuery) => void }) {
  const { t } = useLingui();
  const recalls = useRecalls();
  const [ending, setEnding] = useState<RecallEntry | null>(null);
  return (
    <>
      {recalls.data?.length !== 0 && (
        <Panel title={<Trans>Open recalls</Trans>}>
          <Pending of={recalls} />
          <ul aria-label={t`Open recalls`} className="divide-y divide-line">
            {recalls.data?.map((one) => (
              <Recall key={one.recall_id} recall={one} onTrace={onTrace} onRelease={() => setEnding(one)} />
            ))}
          </ul>
        </Panel>
      )}
      {/* Beside the list: what came of it is read to the end, also when it was the last one. */}
      {ending && <ReleaseAllDialog recall={ending} onClose={() => setEnding(null)} />}
    </>
  );
}

function Recall(props: { recall: RecallEntry; onTrace: (query: TraceQuery) => void; onRelease: () => void }) {
  const { who } = useStore(session);
  const zone = useZone();
  const { recall } = props;
  return (
    <li className="flex flex-wrap items-center gap-3 py-2">
      <div className="min-w-0 flex-1 basis-60">
        <p className="font-semibold break-words">
          {traceWords(recall.trace)}: {recall.reason}
        </p>
        <p className="text-soft">
          {[formatInstant(recall.held_at, zone), recall.held_by_name].filter(Boolean).join(", ")}
        </p>
        <p className="text-soft">
          <Trans>Units on hold: {formatNumber(recall.units_on_hold)}</Trans>
          {" · "}
          <Trans>Lots on hold: {formatNumber(recall.lots_on_hold)}</Trans>
        </p>
      </div>
      {!recall.trace.since && !recall.trace.until && (
        <Button onClick={() => props.onTrace(recall.trace)}>
          <Trans>Trace it</Trans>
        </Button>
      )}
      {may(who, "units.recall") && (
        <Button look="primary" onClick={props.onRelease}>
          <Trans>Release all</Trans>
        </Button>
      )}
    </li>
  );
}

const traceWords = ({ key, kind, sku, first, last, since, until }: TraceQuery): string =>
  key ??
  [sku ?? kind, [first, last].filter(Boolean).join(" – "), [since, until].filter(Boolean).join(" – ")]
    .filter(Boolean)
    .join(" ");

/** Everything that one recall held is free again. As with the hold, nobody does it by one tap. */
function ReleaseAllDialog({ recall, onClose }: { recall: RecallEntry; onClose: () => void }) {
  const { t } = useLingui();
  const units = recall.units_on_hold;
  const [done, setDone] = useState<ReleaseResult | null>(null);
  async function send(reason: string) {
    const given = { p_recall_id: recall.recall_id, p_reason: reason };
    const answer = await unitCommand<ReleaseResult>("release_all", given);
    if (answer) setDone(answer.data);
  }
  const facts: [string, number][] = done
    ? [
        [t`Units released`, done.units_released],
        [t`Units that another recall keeps on hold`, done.units_kept],
        [t`Lots released`, done.lots_released],
        [t`Lots that another recall keeps on hold`, done.lots_kept],
      ]
    : [];
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Release what this recall held`}
      note={t`Each unit is again what it was. What is on hold for another reason stays on hold.`}
    >
      {done ? (
        <div className="flex flex-col gap-3" role="status">
          <dl className="grid grid-cols-[1fr_auto] gap-y-1 text-lg">
            {facts.map(([name, count]) => (
              <div key={name} className="contents">
                <dt>{name}</dt>
                <dd className="text-right font-bold tabular-nums">{formatNumber(count)}</dd>
              </div>
            ))}
          </dl>
          <Button look="primary" onClick={onClose}>
            <Trans>Done</Trans>
          </Button>
        </div>
      ) : (
        <CountForm units={units} look="primary" onSend={send}>
          <Trans>Release all</Trans>
        </CountForm>
      )}
    </Dialog>
  );
}
