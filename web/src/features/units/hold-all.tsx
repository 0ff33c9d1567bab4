import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { unitCommand } from "./act";
import { CountForm } from "./count-form";
import type { HoldResult, TraceResult } from "./types";

/** Everything on hold in one step. Whoever does it types how many units that is. */
export function HoldAllDialog(props: { trace: Record<string, string>; result: TraceResult; onClose: () => void }) {
  const { t } = useLingui();
  const units = Number(props.result.counts.unit ?? 0);
  const [held, setHeld] = useState<HoldResult | null>(null);
  async function send(reason: string) {
    const done = await unitCommand<HoldResult>("hold_all", { p_trace: props.trace, p_reason: reason });
    if (done) setHeld(done.data);
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t`Hold everything affected`}
      note={t`Every unit, packed or in stock or not, and every lot. What this hold held can be released in one step.`}
    >
      {held ? (
        <Done held={held} onClose={props.onClose} />
      ) : (
        <CountForm units={units} look="danger" onSend={send}>
          <Trans>Hold all</Trans>
        </CountForm>
      )}
    </Dialog>
  );
}

function Done({ held, onClose }: { held: HoldResult; onClose: () => void }) {
  const { t } = useLingui();
  const facts: [string, number][] = [
    [t`Units on hold now`, held.units_held],
    [t`Units that were on hold before`, held.units_held_before],
    [t`Scrapped units, left as they are`, held.units_scrapped],
    [t`Lots on hold now`, held.lots_held],
    [t`Customer orders affected`, held.customer_orders],
  ];
  return (
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
  );
}
