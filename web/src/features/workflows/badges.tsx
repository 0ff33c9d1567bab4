import { useLingui } from "@lingui/react/macro";
import {
  ArrowDown,
  ArrowUp,
  CalendarClock,
  CircleAlert,
  CircleCheck,
  CookingPot,
  Equal,
  Layers,
  type LucideIcon,
  Package,
  Paintbrush,
  PenLine,
  Timer,
  TriangleAlert,
} from "lucide-react";
import { useEffect, useState } from "react";
import { priorityName, stageName } from "@/lib/labels";
import { dueInWords, formatAge, plantDay } from "@/lib/time";
import type { Order, Priority, Stage } from "@/lib/types";
import { Badge, type BadgeTone } from "@/ui/badge";
import { startedAt } from "./stage";

export const STAGE_ICONS: Record<Stage, LucideIcon> = {
  Filling: CookingPot,
  Covering: Layers,
  Decorating: Paintbrush,
  Packing: Package,
  Complete: CircleCheck,
};

export function StageBadge({ stage }: { stage: Stage }) {
  const Icon = STAGE_ICONS[stage];
  return (
    <Badge tone={stage === "Complete" ? "ok" : "accent"} icon={<Icon aria-hidden />}>
      {stageName(stage)}
    </Badge>
  );
}

const PRIORITY_LOOK: Record<Priority, [BadgeTone, LucideIcon]> = {
  High: ["bad", ArrowUp],
  Medium: ["plain", Equal],
  Low: ["plain", ArrowDown],
};

export function PriorityBadge({ priority }: { priority: Priority }) {
  const [tone, Icon] = PRIORITY_LOOK[priority];
  return (
    <Badge tone={tone} icon={<Icon aria-hidden />}>
      {priorityName(priority)}
    </Badge>
  );
}

const DUE_TONES = { late: "bad", today: "warn", soon: "info", later: "plain" } as const;

export function DueBadge({ order, zone }: { order: Pick<Order, "due_date">; zone: string }) {
  const due = dueInWords(order.due_date, plantDay(zone));
  const Icon = due.level === "late" ? TriangleAlert : CalendarClock;
  return (
    <Badge tone={DUE_TONES[due.level]} icon={<Icon aria-hidden />}>
      {due.text}
    </Badge>
  );
}

/** The time now, again every `everyMs`. */
export function useNow(everyMs = 30_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** How long the current stage has been going on. */
export function WorkBadge({ order }: { order: Order }) {
  const { t } = useLingui();
  const now = useNow();
  const since = startedAt(order);
  if (!since) return null;
  const age = formatAge(now - Date.parse(since));
  return (
    <Badge tone="info" icon={<Timer aria-hidden />}>
      {t`In work ${age}`}
    </Badge>
  );
}

/** What must be seen before anybody works on it. */
export function AttentionBadges({ order }: { order: Order }) {
  const { t } = useLingui();
  return (
    <>
      {order.pending_change && <Badge tone="bad" icon={<PenLine aria-hidden />}>{t`Order changed`}</Badge>}
      {order.needs_review.length > 0 && <Badge tone="warn" icon={<CircleAlert aria-hidden />}>{t`Needs review`}</Badge>}
      {order.cancelled_at && <Badge tone="bad" icon={<TriangleAlert aria-hidden />}>{t`Cancelled`}</Badge>}
    </>
  );
}
