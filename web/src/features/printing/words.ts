import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { BadgeTone } from "@/ui/badge";

const say = (known: Record<string, MessageDescriptor>, word: string): string => {
  const found = known[word];
  return found ? i18n._(found) : word.replaceAll("_", " ").replaceAll("-", " ");
};

const TYPES: Record<string, MessageDescriptor> = {
  order_ticket: msg`Order ticket`,
  box: msg`Box label`,
  unit_device: msg`Unit label`,
  production_order: msg`Order and lot label`,
  item: msg`Item and bin label`,
  packing_slip_code: msg`Packing slip code`,
};
export const typeName = (type: string): string => say(TYPES, type);

const STATES: Record<string, MessageDescriptor> = {
  queued: msg`Waiting`,
  held: msg`Held`,
  claimed: msg`Being prepared`,
  sending: msg`Being sent`,
  sent: msg`At the printer`,
  printed: msg`Printed`,
  unknown: msg`Nobody knows`,
  failed: msg`Failed`,
  cancelled: msg`Cancelled`,
  expired: msg`Too old`,
};
export const stateName = (state: string): string => say(STATES, state);

const TONES: Record<string, BadgeTone> = {
  printed: "ok",
  unknown: "bad",
  failed: "bad",
  expired: "warn",
  held: "warn",
  cancelled: "plain",
};
export const stateTone = (state: string): BadgeTone => TONES[state] ?? "accent";

/** IPP words of a printer: what is the matter, and what to do. */
const REASONS: Record<string, MessageDescriptor> = {
  "media-empty": msg`Out of labels: put a new roll in.`,
  "media-jam": msg`Labels are jammed: open it and clear them.`,
  "marker-supply-empty": msg`Out of ribbon: put a new one in.`,
  "cover-open": msg`The cover is open: close it.`,
  paused: msg`Paused: press the pause button on the printer.`,
  "over-temperature": msg`The head is too hot: it goes on when it has cooled.`,
  unreachable: msg`Not reachable: is it on, and is the cable in?`,
  unreadable: msg`It answers nonsense: switch it off and on.`,
  "not-a-printer": msg`Something else answers at this address: check the address.`,
  "resolution-unknown": msg`Its resolution cannot be read: nothing is printed by guess.`,
  "resolution-changed": msg`It has another resolution than before; labels are made anew.`,
};
export const reasonWords = (reason: string): string => say(REASONS, reason);

const REPRINTS: Record<string, MessageDescriptor> = {
  damaged: msg`The label is damaged`,
  lost: msg`The label is lost`,
  jam: msg`It jammed in the printer`,
  wrong_place: msg`It came out in the wrong place`,
  unknown_resolution: msg`It never came out`,
  changed: msg`What it says has changed`,
};
export const REPRINT_REASONS = ["damaged", "lost", "jam", "wrong_place", "unknown_resolution", "changed"] as const;
export const reprintReason = (reason: string): string => say(REPRINTS, reason);
