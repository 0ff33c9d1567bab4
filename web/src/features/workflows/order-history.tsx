import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, Dot } from "lucide-react";
import { useZone } from "@/features/core/queries";
import { eventName, stageName } from "@/lib/labels";
import { formatDay, formatInstant } from "@/lib/time";
import type { Blocker, Order, TimelineEntry } from "@/lib/types";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { useBlockers, useTimeline } from "./queries";
import { startedAt } from "./stage";

/** The server's reasons in the reader's language and the plant's time; a new one keeps the server's words. */
function useBlockerWords(order: Order): (blocker: Blocker) => string {
  const { t } = useLingui();
  const zone = useZone(order.store);
  const stage = stageName(order.stage);
  const since = startedAt(order);
  const time = since ? formatInstant(since, zone) : "";
  const due = order.due_date ? formatDay(order.due_date) : "";
  const words: Record<string, string> = {
    "order.change_pending": t`The customer changed the order after work began.`,
    "order.needs_review": t`Somebody must look at this order`,
    "order.not_started": t`${stage} has not been started.`,
    "order.in_work": t`${stage} is going on since ${time}.`,
    "order.unassigned": t`Nobody has it.`,
    "order.overdue": t`It was due on ${due}.`,
  };
  return (blocker) => words[blocker.code] ?? blocker.message;
}

export function Blockers({ order }: { order: Order }) {
  const query = useBlockers(order.id);
  const say = useBlockerWords(order);
  return (
    <Panel title={<Trans>Why is it not going out?</Trans>}>
      <Pending of={query} />
      {query.data?.length === 0 && (
        <p className="flex items-center gap-2 text-ok">
          <CircleCheck aria-hidden /> <Trans>Nothing holds it back.</Trans>
        </p>
      )}
      <ul className="flex flex-col gap-1">
        {query.data?.map((one) => (
          <li key={one.code} className="flex gap-1">
            <Dot aria-hidden className="shrink-0 text-warn" />
            {say(one)}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function note(entry: TimelineEntry): string | null {
  const payload = (entry.payload ?? {}) as Record<string, unknown>;
  const parts = [payload.reason, payload.notes].filter((part) => typeof part === "string" && part);
  return parts.length ? parts.join(" · ") : null;
}

export function Timeline({ id, zone }: { id: string; zone: string }) {
  const { t } = useLingui();
  const query = useTimeline(id);
  return (
    <Panel
      title={<Trans>What happened</Trans>}
      tools={<span className="text-sm text-soft">{t`Times of ${zone}`}</span>}
    >
      <Pending of={query} />
      <ol className="flex flex-col">
        {query.data?.map((entry) => (
          <li key={entry.id} className="relative border-l-2 border-line pb-4 pl-5 last:pb-0">
            <span aria-hidden className="absolute top-1.5 -left-[7px] size-3 rounded-full bg-accent" />
            <p className="font-medium">{eventName(entry.event)}</p>
            {note(entry) && <p>{note(entry)}</p>}
            <p className="text-sm text-soft">
              {[formatInstant(entry.at, zone), entry.actor_name ?? t`The server`, entry.station]
                .filter(Boolean)
                .join(" · ")}
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
