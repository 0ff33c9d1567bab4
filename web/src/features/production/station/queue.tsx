import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { CirclePause, CirclePlay, Hourglass } from "lucide-react";
import { useZone } from "@/features/core/queries";
import { dueInWords, formatNumber, plantDay } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useWorkQueue } from "../queries";
import type { Work } from "../types";
import { priorityName, priorityTone } from "../words";

/** What this work centre has to do: what can run now, in the order in which it shall; then what waits, and why. */
export function Queue(props: { centre: string; on: Work | null | undefined; onOpen: (work: Work) => void }) {
  const { t } = useLingui();
  const queue = useWorkQueue(props.centre);
  const items = queue.data?.items ?? [];
  const parts = [
    { title: t`Can run now`, list: items.filter((one) => one.can_run) },
    { title: t`Waits`, list: items.filter((one) => !one.can_run) },
  ];
  const left = (queue.data?.total ?? 0) - items.length;
  return (
    <>
      <Pending of={queue} />
      {queue.data && items.length === 0 && <Empty>{t`No order needs this work centre now.`}</Empty>}
      {parts
        .filter((part) => part.list.length > 0)
        .map((part) => (
          <Panel key={part.title} title={`${part.title} (${formatNumber(part.list.length)})`} className="p-3!">
            <ul aria-label={part.title} className="flex flex-col gap-2">
              {part.list.map((work) => (
                <li key={`${work.code} ${work.sequence}`}>
                  <Entry
                    work={work}
                    isOn={props.on?.code === work.code && props.on.sequence === work.sequence}
                    onOpen={() => props.onOpen(work)}
                  />
                </li>
              ))}
            </ul>
          </Panel>
        ))}
      {left > 0 && (
        <p className="text-sm text-soft">
          <Plural value={left} one="# more is not shown." other="# more are not shown." />
        </p>
      )}
    </>
  );
}

const ICONS = { run: CirclePlay, pause: CirclePause, wait: Hourglass };

function Entry({ work, isOn, onOpen }: { work: Work; isOn: boolean; onOpen: () => void }) {
  const zone = useZone();
  const due = dueInWords(work.due_date, plantDay(zone));
  const Icon = ICONS[work.status === "PAUSED" ? "pause" : work.can_run ? "run" : "wait"];
  return (
    <button
      type="button"
      aria-current={isOn ? "true" : undefined}
      onClick={onOpen}
      className={cx(
        "flex min-h-16 w-full items-start gap-3 rounded-lg border-2 p-2 text-left",
        isOn ? "border-accent bg-accent-bg" : "border-line bg-panel hover:bg-sunk",
      )}
    >
      <Icon aria-hidden className={cx("mt-1 shrink-0", work.can_run ? "text-ok" : "text-warn")} />
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-x-2">
          <b className="font-mono">{work.code}</b>
          {work.priority !== "normal" && (
            <Badge tone={priorityTone(work.priority)}>{priorityName(work.priority)}</Badge>
          )}
          {due.level === "late" && <Badge tone="bad">{due.text}</Badge>}
        </span>
        <span className="block truncate">{work.product_title ?? work.product_sku}</span>
        <span className="block text-sm text-soft">
          <Standing work={work} />
          {due.level !== "late" && work.due_date && ` · ${due.text}`}
        </span>
      </span>
    </button>
  );
}

/** What it does, or what it waits for. */
function Standing({ work }: { work: Work }) {
  const [good, planned, start] = [work.good, work.planned, work.can_start].map((value) => formatNumber(Number(value)));
  if (work.status === "PAUSED") return <Trans>Paused {work.pause_reason}</Trans>;
  if (!work.can_run) return work.why;
  if (work.status !== "IN_PROGRESS")
    return (
      <Trans>
        Can start: {start} of {planned}
      </Trans>
    );
  return (
    <Trans>
      Runs: {good} of {planned} good
    </Trans>
  );
}
