import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { BadgeTone } from "@/ui/badge";
import type { HistoryEvent } from "@/ui/history";
import type { Firmware } from "./types";

const say = (known: Record<string, MessageDescriptor>, word: string): string => {
  const found = known[word];
  return found ? i18n._(found) : word.replaceAll("_", " ");
};

const STATUS_NAMES: Record<string, MessageDescriptor> = {
  CREATED: msg`New`,
  FLASHED: msg`Flashed`,
  TEST_PASS: msg`Test passed`,
  ASSEMBLED: msg`Assembled`,
  PACKED: msg`Packed`,
  IN_FINISHED_STOCK: msg`In stock`,
  REWORK: msg`In rework`,
  ON_HOLD: msg`On hold`,
  SCRAPPED: msg`Scrapped`,
};
export const statusName = (status: string): string => say(STATUS_NAMES, status);

const TONES: Record<string, BadgeTone> = {
  CREATED: "plain",
  PACKED: "ok",
  IN_FINISHED_STOCK: "ok",
  REWORK: "warn",
  ON_HOLD: "bad",
  SCRAPPED: "bad",
};
export const statusTone = (status: string): BadgeTone => TONES[status] ?? "accent";

const EVENTS: Record<string, MessageDescriptor> = {
  "unit.created": msg`Made`,
  "unit.variant_assigned": msg`Variant assigned`,
  "unit.flashed": msg`Flashed`,
  "unit.flash_failed": msg`Could not be flashed`,
  "unit.tested": msg`Tested`,
  "unit.assembled": msg`Assembled`,
  "unit.component_installed": msg`Part built in`,
  "unit.component_removed": msg`Part taken out`,
  "unit.kit_scanned": msg`Kit scanned`,
  "unit.packed": msg`Packed`,
  "unit.pack_refused": msg`Packing refused`,
  "unit.unpacked": msg`Unpacked`,
  "unit.moved_to_stock": msg`Moved to stock`,
  "unit.reworked": msg`Sent to rework`,
  "unit.scrapped": msg`Scrapped`,
  "unit.held": msg`Put on hold`,
  "unit.released": msg`Released`,
  "unit.boxed": msg`Put into a box`,
  "unit.unboxed": msg`Taken out of its box`,
  "unit.shipped": msg`Shipped`,
  "unit.scanned": msg`Scanned`,
};
export const eventName = (event: string): string => {
  const known = EVENTS[event];
  return known ? i18n._(known) : event.split(".").slice(1).join(" ").replaceAll("_", " ");
};

const KINDS: Record<string, MessageDescriptor> = {
  unit: msg`Units`,
  lot: msg`Lots`,
  serial: msg`Parts with a serial`,
  item: msg`Items`,
  box: msg`Boxes`,
  pallet: msg`Pallets`,
  order: msg`Tickets`,
  production_order: msg`Production orders`,
};
export const kindsName = (kind: string): string => say(KINDS, kind);

const ONE: Record<string, MessageDescriptor> = {
  unit: msg`Unit`,
  lot: msg`Lot`,
  serial: msg`Serial`,
  item: msg`Item`,
  box: msg({ message: "Box", context: "carton" }),
  pallet: msg`Pallet`,
  order: msg`Ticket`,
  production_order: msg`Production order`,
};
export const kindName = (kind: string): string => say(ONE, kind);

export const resultName = (result: string): string =>
  result === "PASS" ? i18n._(msg`Passed`) : result === "FAIL" ? i18n._(msg`Failed`) : result;

/** What firmware a unit must have, as short facts. */
export function firmwareWords(firmware: Firmware | null | undefined): string[] {
  const { required_prefix, range, build_hash, require_build_hash } = firmware ?? {};
  const words: string[] = [];
  if (required_prefix) words.push(i18n._(msg`begins with ${required_prefix}`));
  if (range) words.push(range);
  if (build_hash) words.push(i18n._(msg`build ${build_hash}`));
  else if (require_build_hash) words.push(i18n._(msg`with its build hash`));
  return words;
}

/** "3.5 to 4.2 V", "at most 25 uA". */
export function limitWords(
  low: number | null | undefined,
  high: number | null | undefined,
  unit?: string | null,
): string {
  const of = (value: number) => [value, unit].filter((part) => part !== null && part !== undefined).join(" ");
  if (typeof low === "number" && typeof high === "number") {
    const to = of(high);
    return i18n._(msg`${low} to ${to}`);
  }
  if (typeof low === "number") {
    const least = of(low);
    return i18n._(msg`at least ${least}`);
  }
  if (typeof high === "number") {
    const most = of(high);
    return i18n._(msg`at most ${most}`);
  }
  return i18n._(msg`no limit`);
}

/** The few words that say which one, or why. */
export function eventFacts({ payload }: HistoryEvent): string {
  const blockers = payload.blockers as { message: string }[] | undefined;
  const known = [
    payload.result && `${String(payload.test)}: ${resultName(String(payload.result))}`,
    payload.variant,
    payload.fw_version,
    payload.sku,
    payload.lot,
    payload.component_sn,
    payload.kit_id,
    payload.box,
    payload.order,
    payload.location,
    payload.reason,
    payload.notes,
    blockers?.map((one) => one.message).join(" "),
  ];
  return known.filter(Boolean).map(String).join(" · ");
}
