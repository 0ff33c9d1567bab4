import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { formatLocale } from "@/lib/time";
import type { BadgeTone } from "@/ui/badge";
import type { ApprovalEntry, Notice } from "./types";

export { groupName as priorityName, groupTone as priorityTone } from "@/features/print-farm/words";

const say = (known: Record<string, MessageDescriptor>, word: string): string => {
  const found = known[word];
  return found ? i18n._(found) : word.replaceAll("_", " ").toLowerCase();
};

const STEP_STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  NOT_STARTED: [msg`Not started`, "plain"],
  IN_PROGRESS: [msg({ message: "Runs", context: "a step of production" }), "accent"],
  PAUSED: [msg({ message: "Paused", context: "a step of production" }), "warn"],
  COMPLETED: [msg({ message: "Completed", context: "a step of production" }), "ok"],
};
export const stepState = (status: string): string => {
  const found = STEP_STATES[status];
  return found ? i18n._(found[0]) : status;
};
export const stepTone = (status: string): BadgeTone => STEP_STATES[status]?.[1] ?? "plain";

const DISPOSITIONS: Record<string, MessageDescriptor> = {
  rework: msg({ message: "Rework", context: "what becomes of a piece" }),
  repair: msg({ message: "Repair", context: "what becomes of a piece" }),
  use_as_is: msg`Use as it is`,
  scrap: msg({ message: "Scrap", context: "what becomes of a piece" }),
  return: msg`Back to the supplier`,
  hold: msg({ message: "Hold", context: "what becomes of a piece" }),
  accept: msg`Good after all`,
};
export const dispositionName = (disposition: string): string => say(DISPOSITIONS, disposition);

/** What a disposition means, for those who choose it. */
const MEANINGS: Record<string, MessageDescriptor> = {
  rework: msg`Made right again, here`,
  repair: msg`Made usable, not to the drawing`,
  use_as_is: msg`Not to the drawing, and accepted`,
  scrap: msg`Thrown away, and made again`,
  return: msg`Its material was bad`,
  hold: msg`Set aside until somebody decides`,
};
export const dispositionMeaning = (disposition: string): string => say(MEANINGS, disposition);
/** Pieces that will not be as specified need somebody who may concede that. */
export const needsConcession = (disposition: string): boolean =>
  ["repair", "use_as_is", "return"].includes(disposition);

const APPROVAL_NAMES: Record<string, MessageDescriptor> = {
  OVERTIME: msg`Overtime`,
  ENABLE_EQUIPMENT: msg`Put a work centre into use`,
  DISABLE_EQUIPMENT: msg`Take a work centre out of use`,
  SPECIAL_OPERATION: msg`Special operation`,
};
export const approvalName = (type: string): string => say(APPROVAL_NAMES, type);

const APPROVAL_STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  PENDING: [msg`Waits for a decision`, "warn"],
  APPROVED: [msg({ message: "Approved", context: "a request" }), "ok"],
  REJECTED: [msg({ message: "Rejected", context: "a request" }), "bad"],
  WITHDRAWN: [msg({ message: "Taken back", context: "a request" }), "plain"],
};
export const approvalState = (status: string): string => {
  const found = APPROVAL_STATES[status];
  return found ? i18n._(found[0]) : status;
};
export const approvalTone = (status: string): BadgeTone => APPROVAL_STATES[status]?.[1] ?? "plain";

/** What exactly is asked. */
export function approvalSubject({ approval, code, work_centre_title }: ApprovalEntry): string {
  const { type, operation, sequence } = approval;
  const place = work_centre_title ?? approval.work_centre ?? i18n._(msg`the whole site`);
  const order = code ?? "?";
  if (type === "ENABLE_EQUIPMENT") return i18n._(msg`Put ${place} into use again`);
  if (type === "DISABLE_EQUIPMENT") return i18n._(msg`Take ${place} out of use`);
  if (type === "OVERTIME") return i18n._(msg`Overtime: ${place}`);
  if (operation === "replenishment") {
    const quantity = approval.quantity ?? "?";
    return i18n._(msg`Make ${quantity} again for ${order}, beyond the limit`);
  }
  if (operation === "other_work_centre") return i18n._(msg`Make step ${sequence ?? 0} of ${order} at ${place}`);
  if (operation === "over_capacity") return i18n._(msg`Run ${order} at ${place} although it is full`);
  return code ? i18n._(msg`Something special for ${order}`) : i18n._(msg`Something special: ${place}`);
}

/** What happens when it is approved. */
export function approvalEffect({ approval, code, work_centre_title }: ApprovalEntry): string {
  const place = work_centre_title ?? approval.work_centre ?? "";
  const order = code ?? "?";
  if (approval.type === "ENABLE_EQUIPMENT") return i18n._(msg`${place} is in use again at once.`);
  if (approval.type === "DISABLE_EQUIPMENT")
    return i18n._(msg`Nothing is started or counted at ${place} from then on.`);
  if (approval.operation === "replenishment") return i18n._(msg`The missing pieces of ${order} are made again.`);
  if (approval.operation === "other_work_centre") return i18n._(msg`The step may be done there too.`);
  if (approval.operation === "over_capacity") return i18n._(msg`It may start at ${place} beside what runs there.`);
  if (approval.type === "OVERTIME") return i18n._(msg`The overtime is allowed from its beginning to its end.`);
  return i18n._(msg`It is on record as allowed.`);
}

/** What came of a command besides, in the server's words. */
export const noticeText = (notices: Notice[] | null | undefined): string | null =>
  notices?.length ? notices.map((one) => one.message).join(" ") : null;

export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined
    ? "–"
    : new Intl.NumberFormat(formatLocale(), { style: "percent", maximumFractionDigits: 1 }).format(share);

const TYPES: Record<string, MessageDescriptor> = {
  OPTIMIZER: msg`Cutting optimiser`,
  PRE_CUT: msg`Pre-cut saw`,
  CNC: msg({ message: "CNC machine", context: "kind of work centre" }),
  FINISHING: msg({ message: "Finishing", context: "kind of work centre" }),
  ASSEMBLY: msg({ message: "Assembly bench", context: "kind of work centre" }),
  PAINTING: msg({ message: "Painting", context: "kind of work centre" }),
  PACKAGING: msg({ message: "Packaging", context: "kind of work centre" }),
  PRESS: msg({ message: "Press", context: "kind of work centre" }),
  CALIBRATOR: msg({ message: "Calibrator", context: "kind of work centre" }),
  BRUSH: msg({ message: "Brushing machine", context: "kind of work centre" }),
  OTHER: msg({ message: "Other", context: "kind of work centre" }),
};
export const CENTRE_TYPES = Object.keys(TYPES);
export const centreType = (type: string): string => say(TYPES, type);
