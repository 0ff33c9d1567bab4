import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import {
  CalendarClock,
  CircleHelp,
  CirclePause,
  CirclePlay,
  CircleStop,
  type LucideIcon,
  PowerOff,
  Settings2,
  TriangleAlert,
  Wrench,
} from "lucide-react";
import { formatLocale } from "@/lib/time";
import type { BadgeTone } from "@/ui/badge";
import type { Look } from "@/ui/charts/looks";
import type { LossRow, StopReason } from "./types";

interface State {
  name: MessageDescriptor;
  tone: BadgeTone;
  icon: LucideIcon;
}
const STATES: Record<string, State> = {
  running: { name: msg({ message: "Runs", context: "a machine" }), tone: "ok", icon: CirclePlay },
  setup: { name: msg({ message: "Set-up", context: "a machine" }), tone: "info", icon: Settings2 },
  stopped: { name: msg({ message: "Stands", context: "a machine" }), tone: "bad", icon: CircleStop },
  fault: { name: msg({ message: "Fault", context: "a machine" }), tone: "bad", icon: TriangleAlert },
  idle: { name: msg({ message: "Idle", context: "a machine" }), tone: "warn", icon: CirclePause },
  starved: { name: msg({ message: "Starved", context: "a machine" }), tone: "warn", icon: CirclePause },
  blocked: { name: msg({ message: "Blocked", context: "a machine" }), tone: "warn", icon: CirclePause },
  maintenance: { name: msg({ message: "Maintenance", context: "a machine" }), tone: "info", icon: Wrench },
  planned: { name: msg({ message: "Planned stop", context: "a machine" }), tone: "plain", icon: CalendarClock },
  off: { name: msg({ message: "Off", context: "a machine" }), tone: "plain", icon: PowerOff },
  no_data: { name: msg({ message: "No data", context: "a machine" }), tone: "warn", icon: CircleHelp },
};
const UNKNOWN: State = { name: msg({ message: "No data", context: "a machine" }), tone: "warn", icon: CircleHelp };
const stateOf = (state: string | null): State => STATES[state ?? "no_data"] ?? UNKNOWN;
export const stateName = (state: string | null): string => i18n._(stateOf(state).name);
export const stateTone = (state: string | null): BadgeTone => stateOf(state).tone;
export const stateIcon = (state: string | null): LucideIcon => stateOf(state).icon;
/** Nothing comes out of it although it might. */
export const isStanding = (state: string): boolean => !["running", "setup", "planned", "off"].includes(state);

const REASONS: Record<string, MessageDescriptor> = {
  planned: msg({ message: "Planned", context: "stop" }),
  unplanned: msg({ message: "Unplanned", context: "stop" }),
  meeting: msg({ message: "Meeting", context: "stop" }),
  "planned-maintenance": msg({ message: "Planned maintenance", context: "stop" }),
  "no-order": msg({ message: "No order", context: "stop" }),
  breakdown: msg({ message: "Breakdown", context: "stop" }),
  jam: msg({ message: "Jam", context: "stop" }),
  changeover: msg({ message: "Changeover", context: "stop" }),
  tool: msg({ message: "Tool change", context: "stop" }),
  material: msg({ message: "No material", context: "stop" }),
  operator: msg({ message: "Nobody there", context: "stop" }),
  quality: msg({ message: "Quality problem", context: "stop" }),
  starved: msg({ message: "Waits for the machine before it", context: "stop" }),
  blocked: msg({ message: "Waits for the machine after it", context: "stop" }),
  utilities: msg({ message: "Power, air, water", context: "stop" }),
  other: msg({ message: "Something else", context: "stop" }),
};
const CLASSES: Record<string, MessageDescriptor> = {
  break: msg({ message: "Break", context: "stop" }),
  meeting: REASONS.meeting as MessageDescriptor,
  planned_maintenance: REASONS["planned-maintenance"] as MessageDescriptor,
  no_order: REASONS["no-order"] as MessageDescriptor,
  changeover: REASONS.changeover as MessageDescriptor,
  breakdown: REASONS.breakdown as MessageDescriptor,
  material: msg({ message: "Material", context: "stop" }),
  operator: REASONS.operator as MessageDescriptor,
  quality: msg({ message: "Quality", context: "stop" }),
  upstream: msg({ message: "Starved", context: "stop" }),
  downstream: msg({ message: "Blocked", context: "stop" }),
  utilities: REASONS.utilities as MessageDescriptor,
  minor_stop: msg({ message: "Micro-stops", context: "stop" }),
  unclassified: msg({ message: "Not classified", context: "stop" }),
  no_data: msg({ message: "No data", context: "stop" }),
};
const LOSSES: Record<string, MessageDescriptor> = {
  speed: msg({ message: "Reduced speed", context: "loss" }),
  scrap: msg({ message: "Scrap", context: "loss" }),
  rework: msg({ message: "Rework", context: "loss" }),
  startup: msg({ message: "Start-up rejects", context: "loss" }),
};

/** The word for something that the plant may have renamed: a name of its own stays. */
function known(words: Record<string, MessageDescriptor>, code: string | null, title: string | null): string | null {
  const found = code === null ? undefined : words[code];
  return found && (title === null || title === found.message) ? i18n._(found) : title;
}
export const reasonName = (code: string | null, title: string | null): string =>
  known(REASONS, code, title) ?? code ?? "";

/** A reason or a class of time, by its code. */
export function timeName(code: string, title: string): string {
  const reason = known(REASONS, code, title);
  return reason === null || reason === title ? (known(CLASSES, code, title) ?? title) : reason;
}

/** What a piece of time or a loss is called: by its reason, else its class, else what it is. */
export function lossName(row: Pick<LossRow, "kind" | "reason" | "time_class" | "title">): string {
  const found = LOSSES[row.kind];
  if (found) return i18n._(found);
  if (row.reason) return reasonName(row.reason, row.title);
  if (row.kind === "setup") return stateName("setup");
  return known(CLASSES, row.time_class, row.title) ?? lookName(KINDS[row.kind] ?? "none");
}

/** Reasons that a stop can be given: families that have reasons are only headings. */
export function leaves(reasons: StopReason[]): StopReason[] {
  const parents = new Set(reasons.map((one) => one.parent));
  return reasons.filter((one) => !parents.has(one.code));
}

const KINDS: Record<string, Look> = {
  run: "run",
  setup: "setup",
  micro: "micro",
  pending: "pending",
  planned: "planned",
};
/** How a piece of time or a loss is drawn. */
export function lookOf(row: { kind: string; time_class: string | null; policy?: string }): Look {
  if (row.kind === "speed") return "speed";
  if (row.policy === "loss_quality") return "quality";
  if (row.kind !== "stop") return KINDS[row.kind] ?? "none";
  if (row.time_class === "no_data") return "silent";
  if (row.time_class === "unclassified") return "unknown";
  return row.policy === "excluded" ? "planned" : "stop";
}

/** A class of time, by its code. */
export const className = (code: string): string => known(CLASSES, code, null) ?? code;

const JOBS: Record<string, MessageDescriptor> = {
  snapshot_shifts: msg({
    message: "keep the figures of its shifts",
    context: "the server could not … for this machine",
  }),
  extend_shifts: msg({ message: "make up its next shifts", context: "the server could not … for this machine" }),
  raise_andon_calls: msg({ message: "call somebody to it", context: "the server could not … for this machine" }),
  open_due_work_orders: msg({
    message: "open its due maintenance",
    context: "the server could not … for this machine",
  }),
};
/** What a job of the clock does, after "the server could not". */
export const jobName = (job: string): string => {
  const found = JOBS[job];
  return found ? i18n._(found) : job;
};

/** Monday is 1, Sunday 7. */
export const weekdayName = (day: number): string =>
  new Intl.DateTimeFormat(formatLocale(), { weekday: "short", timeZone: "UTC" }).format(
    new Date(Date.UTC(2026, 5, day)),
  );

const LOOK_NAMES: Partial<Record<Look, MessageDescriptor>> = {
  run: msg({ message: "Runs", context: "a machine" }),
  setup: msg({ message: "Set-up", context: "a machine" }),
  stop: msg({ message: "Stop", context: "time of a machine" }),
  unknown: msg({ message: "Stop without a reason", context: "time of a machine" }),
  micro: msg({ message: "Micro-stop", context: "time of a machine" }),
  pending: msg({ message: "Just stopped", context: "time of a machine" }),
  planned: msg({ message: "Planned stop", context: "time of a machine" }),
  silent: msg({ message: "No data", context: "time of a machine" }),
  none: msg({ message: "No shift", context: "time of a machine" }),
};
export const lookName = (look: Look): string => {
  const found = LOOK_NAMES[look];
  return found ? i18n._(found) : look;
};

const FACTORS: Record<string, MessageDescriptor> = {
  availability: msg({ message: "Availability", context: "OEE" }),
  performance: msg({ message: "Performance", context: "OEE" }),
  quality: msg({ message: "Quality", context: "OEE" }),
};
export const factorName = (factor: "availability" | "performance" | "quality"): string =>
  i18n._(FACTORS[factor] as MessageDescriptor);
