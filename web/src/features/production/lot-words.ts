import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

const KINDS: Record<string, MessageDescriptor> = {
  RAW: msg({ message: "Material", context: "kind of lot" }),
  WIP: msg({ message: "In process", context: "kind of lot" }),
  FINISHED: msg({ message: "Finished", context: "kind of lot" }),
};
export const lotKind = (kind: string): string => {
  const known = KINDS[kind];
  return known ? i18n._(known) : kind;
};

const DONE: Record<string, MessageDescriptor> = {
  receive: msg({ message: "Received", context: "a lot" }),
  start: msg({ message: "Started", context: "pieces of a lot" }),
  finish: msg({ message: "Finished", context: "pieces of a lot" }),
  scrap: msg({ message: "Scrapped", context: "pieces of a lot" }),
  return: msg({ message: "Sent back", context: "pieces of a lot" }),
  consume: msg({ message: "Used", context: "pieces of a lot" }),
  rework: msg({ message: "Reworked", context: "pieces of a lot" }),
  split: msg({ message: "Split", context: "a lot, done" }),
  merge: msg({ message: "Merged", context: "lots, done" }),
};
/** What was done with lots. */
export const activityName = (kind: string): string => {
  const known = DONE[kind];
  return known ? i18n._(known) : kind;
};
