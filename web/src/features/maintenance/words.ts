import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg, plural } from "@lingui/core/macro";
import { formatNumber } from "@/lib/time";
import type { BadgeTone } from "@/ui/badge";
import type { PlanRow, RepairRow } from "./types";

const STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  reported: [msg({ message: "Reported", context: "a repair" }), "bad"],
  acknowledged: [msg({ message: "Acknowledged", context: "a repair" }), "warn"],
  in_repair: [msg({ message: "In repair", context: "a repair" }), "accent"],
  waiting: [msg({ message: "Waiting", context: "a repair" }), "warn"],
  repaired: [msg({ message: "Repaired", context: "a repair" }), "info"],
  verified: [msg({ message: "Verified", context: "a repair" }), "ok"],
  closed: [msg({ message: "Closed", context: "a repair" }), "plain"],
  rejected: [msg({ message: "Rejected", context: "a repair" }), "plain"],
  duplicate: [msg({ message: "Duplicate", context: "a repair" }), "plain"],
  cancelled: [msg({ message: "Cancelled", context: "a repair" }), "plain"],
};
export const repairState = (status: string): string => {
  const found = STATES[status];
  return found ? i18n._(found[0]) : status;
};
export const repairTone = (status: string): BadgeTone => STATES[status]?.[1] ?? "plain";
/** The columns of the board, in the order of a repair's life. */
export const OPEN_STATES = ["reported", "acknowledged", "in_repair", "waiting", "repaired", "verified"];

const MACHINE_STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  operational: [msg({ message: "In order", context: "a machine" }), "ok"],
  working: [msg({ message: "Working", context: "a line" }), "ok"],
  broken: [msg({ message: "Broken", context: "a machine" }), "bad"],
  maintenance: [msg({ message: "Being maintained", context: "a machine" }), "info"],
  stopped: [msg({ message: "Stopped", context: "a machine" }), "warn"],
};
export const machineState = (status: string): string => {
  const found = MACHINE_STATES[status];
  return found ? i18n._(found[0]) : status;
};
export const machineTone = (status: string): BadgeTone => MACHINE_STATES[status]?.[1] ?? "plain";

const WAITS: Record<string, MessageDescriptor> = {
  parts: msg`Waits for parts`,
  people: msg`Waits for people`,
  vendor: msg`Waits for the vendor`,
};
export const WAITS_FOR = Object.keys(WAITS);
export const waitName = (waits: string): string => {
  const found = WAITS[waits];
  return found ? i18n._(found) : waits;
};

const SYMPTOMS: Record<string, MessageDescriptor> = {
  does_not_start: msg({ message: "Does not start", context: "a machine" }),
  stopped: msg({ message: "Stopped by itself", context: "a machine" }),
  damage: msg({ message: "Something is broken", context: "a machine" }),
  danger: msg({ message: "Dangerous", context: "a machine" }),
  bad_parts: msg({ message: "Makes bad parts", context: "a machine" }),
  noise: msg({ message: "Noise or vibration", context: "a machine" }),
  leak: msg({ message: "Leaks", context: "a machine" }),
  heat: msg({ message: "Too hot, smells", context: "a machine" }),
  slow: msg({ message: "Slower than usual", context: "a machine" }),
  other: msg({ message: "Something else", context: "a machine" }),
};
/** The word for a symptom; one that the plant renamed keeps its own. */
export function symptomName(code: string, title: string | null): string {
  const found = SYMPTOMS[code];
  return found && (title === null || title === found.message) ? i18n._(found) : (title ?? code);
}

/** What a repair is about, in few words. */
export function repairTitle({ repair, symptom }: Pick<RepairRow, "repair" | "symptom">): string {
  if (repair.symptom) return symptomName(repair.symptom, symptom);
  return repair.description?.split("\n")[0] ?? i18n._(msg`Repair ${repair.id}`);
}

const PRIORITIES: Record<string, [MessageDescriptor, BadgeTone]> = {
  high: [msg({ message: "Urgent", context: "a repair" }), "bad"],
  normal: [msg({ message: "Normal", context: "a repair" }), "plain"],
  low: [msg({ message: "Can wait", context: "a repair" }), "plain"],
};
export const PRIORITY_CODES = Object.keys(PRIORITIES);
export const urgencyName = (priority: string): string => {
  const found = PRIORITIES[priority];
  return found ? i18n._(found[0]) : priority;
};
export const urgencyTone = (priority: string): BadgeTone => PRIORITIES[priority]?.[1] ?? "plain";

const UNITS: Record<string, MessageDescriptor> = {
  calendar: msg({ message: "days", context: "a maintenance plan" }),
  run_hours: msg({ message: "running hours", context: "a maintenance plan" }),
  cycles: msg({ message: "cycles", context: "a maintenance plan" }),
};
export const BASES = Object.keys(UNITS);
export const unitName = (based: string): string => {
  const found = UNITS[based];
  return found ? i18n._(found) : based;
};

/** How often: "every 30 days". */
export function everyWords({ plan }: PlanRow): string {
  const [every, unit] = [formatNumber(plan.every), unitName(plan.based_on)];
  return i18n._(msg`every ${every} ${unit}`);
}

const daysOf = (left: number): string => {
  const days = Math.abs(left);
  return i18n._(msg`${plural(days, { one: "day", other: "days" })}`);
};

/** How long until a plan is due, or how late it is. */
export function leftWords({ plan, left_days, left_count }: PlanRow): string {
  const left = left_days ?? left_count ?? 0;
  const amount = formatNumber(Math.abs(Math.round(left * 10) / 10));
  const unit = plan.based_on === "calendar" ? daysOf(left) : unitName(plan.based_on);
  if (left < 0) return i18n._(msg`${amount} ${unit} late`);
  if (left === 0) return i18n._(msg`Due now`);
  return i18n._(msg`in ${amount} ${unit}`);
}
