import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { formatNumber } from "@/lib/time";
import type { BadgeTone } from "@/ui/badge";
import type { HistoryEvent } from "@/ui/history";
import type { Why } from "./plan-types";
import type { ProcessStep } from "./types";
import { dispositionName } from "./words";

const STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  OPEN_NOT_STARTED: [msg`Not started`, "plain"],
  IN_PROGRESS: [msg({ message: "In production", context: "a production order" }), "accent"],
  OPEN_PARTIAL: [msg`Pieces are missing`, "warn"],
  CLOSED: [msg({ message: "Closed", context: "a production order" }), "ok"],
  CANCELLED: [msg({ message: "Cancelled", context: "a production order" }), "plain"],
};
export const orderState = (status: string): string => {
  const found = STATES[status];
  return found ? i18n._(found[0]) : status;
};
export const orderTone = (status: string): BadgeTone => STATES[status]?.[1] ?? "plain";

/** What holds an order up; an order that was not released may lack parts, but only where some are named. */
export const holdUps = (why: Why[]): Why[] =>
  why.filter((one) => one.code !== "production.parts_missing" || one.sequence !== undefined || one.details?.missing);

/** Why in words, with the parts that are missing. */
export function whyWords({ code, message, details }: Why): string {
  if (code === "production.not_released") return i18n._(msg`It is not released to the floor yet.`);
  const missing = details?.missing ?? [];
  if (missing.length === 0) return message;
  const parts = missing.map((one) => `${formatNumber(Number(one.missing))} × ${one.sku}`).join(", ");
  return i18n._(msg`Missing: ${parts}`);
}

const EVENTS: Record<string, MessageDescriptor> = {
  "production.created": msg`Taken`,
  "production.updated": msg({ message: "Changed", context: "a production order" }),
  "production.imported": msg`Came from the ERP`,
  "production.released": msg`Released to the floor`,
  "production.scanned": msg({ message: "Scanned", context: "a production order" }),
  "production_order.scanned": msg({ message: "Scanned", context: "a production order" }),
  "production.scan_refused": msg`Scan refused`,
  "production.step_started": msg`Step started`,
  "production.step_paused": msg`Step paused`,
  "production.step_completed": msg`Step completed`,
  "production.counted": msg({ message: "Counted", context: "a production order" }),
  "production.quality": msg`Quality`,
  "production.replenished": msg`Ordered again`,
  "production.material_used": msg`Material used`,
  "production.undone": msg`Taken back`,
  "production.closed": msg({ message: "Closed", context: "a production order" }),
  "production.reopened": msg`Opened again`,
  "production.cancelled": msg({ message: "Cancelled", context: "a production order" }),
  "lot.saved": msg({ message: "Saved", context: "a lot" }),
  "lot.received": msg({ message: "Received", context: "a lot" }),
  "lot.consumed": msg({ message: "Used", context: "pieces of a lot" }),
  "lot.split": msg({ message: "Split", context: "a lot, done" }),
  "lot.merged": msg({ message: "Merged", context: "lots, done" }),
  "lot.scrapped": msg({ message: "Scrapped", context: "pieces of a lot" }),
  "lot.returned": msg({ message: "Sent back", context: "pieces of a lot" }),
  "lot.undone": msg`Taken back`,
  "lot.held": msg({ message: "On hold", context: "a lot" }),
  "lot.released": msg({ message: "May be used again", context: "a lot" }),
  "lot.removed": msg({ message: "Taken out of use", context: "a lot" }),
  "lot.restored": msg({ message: "In use again", context: "a lot" }),
};
export const eventName = (event: string): string => {
  const known = EVENTS[event];
  return known ? i18n._(known) : event.split(".").slice(1).join(" ").replaceAll("_", " ");
};

/** The few words that say which step, how many, and why. */
export function eventFacts({ payload }: HistoryEvent, steps: ProcessStep[]): string {
  const known = [
    steps.find((one) => one.code === payload.step)?.title ?? payload.step,
    payload.work_centre,
    typeof payload.disposition === "string" && dispositionName(payload.disposition),
    payload.quantity !== undefined && payload.quantity !== null && formatNumber(Number(payload.quantity)),
    payload.reason_title ?? (payload.message ? null : payload.reason), // a refused scan says in words why
    payload.lot,
    payload.message,
  ];
  return known.filter(Boolean).map(String).join(" · ");
}
