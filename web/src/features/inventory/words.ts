import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { BadgeTone } from "@/ui/badge";

type Words = Record<string, MessageDescriptor>;
const say = (known: Words, word: string): string => {
  const found = known[word];
  return found ? i18n._(found) : word.replaceAll("_", " ");
};

const KIND_WORDS: Words = {
  raw_material: msg`Raw material`,
  component: msg`Component`,
  part: msg`Part`,
  subassembly: msg`Subassembly`,
  finished_good: msg`Finished good`,
  accessory: msg`Accessory`,
  topper: msg`Topper`,
  hardware: msg`Hardware`,
  packaging: msg`Packaging`,
  manual: msg`Manual`,
  sticker: msg`Sticker`,
  wrapper: msg`Wrapper`,
  consumable: msg`Consumable`,
  software: msg`Software`,
  test: msg`Test`,
  labour: msg`Labour`,
};
export const KINDS = Object.keys(KIND_WORDS);
export const kindName = (kind: string): string => say(KIND_WORDS, kind);

const STATES: Words = {
  enough: msg`Enough`,
  low: msg({ message: "Low", context: "stock" }),
  promised: msg`All promised`,
  out: msg`Out of stock`,
  negative: msg`Below zero`,
  not_stocked: msg`Not kept in stock`,
};
export const stateName = (state: string): string => say(STATES, state);
const STATE_TONES: Record<string, BadgeTone> = {
  enough: "ok",
  low: "warn",
  promised: "warn",
  out: "bad",
  negative: "bad",
};
export const stateTone = (state: string): BadgeTone => STATE_TONES[state] ?? "plain";

const MOVES: Words = {
  receipt: msg`Received`,
  issue: msg`Issued`,
  consume: msg`Used`,
  adjust: msg`Adjusted`,
  transfer: msg`Transferred`,
  produce: msg`Made`,
  scrap: msg`Scrapped`,
  order_deduct: msg`Taken by an order`,
  order_restock: msg`Back from an order`,
};
export const MOVE_KINDS = Object.keys(MOVES);
export const moveName = (kind: string): string => say(MOVES, kind);

const COUNT_STATES: Words = {
  open: msg`Being counted`,
  recount: msg`Counted again`,
  approval: msg`Waits for approval`,
  applied: msg`Booked`,
  cancelled: msg`Given up`,
};
export const countState = (state: string): string => say(COUNT_STATES, state);
const COUNT_TONES: Record<string, BadgeTone> = { open: "accent", recount: "warn", approval: "warn", applied: "ok" };
export const countTone = (state: string): BadgeTone => COUNT_TONES[state] ?? "plain";

const RESULTS: Words = {
  created: msg`New`,
  updated: msg`Changed`,
  booked: msg`Booked`,
  unchanged: msg`As it is`,
  error: msg`Wrong`,
};
export const resultName = (result: string): string => say(RESULTS, result);

const PUSHES: Words = {
  queued: msg`Waits to be told`,
  pushed: msg`Told`,
  failed: msg`Could not be told`,
  not_listed: msg`The shop does not sell it`,
  no_token: msg`The shop gave no access`,
};
export const pushState = (state: string): string => say(PUSHES, state);
const PUSH_TONES: Record<string, BadgeTone> = { queued: "accent", pushed: "ok", failed: "bad", no_token: "warn" };
export const pushTone = (state: string): BadgeTone => PUSH_TONES[state] ?? "plain";

const ALARMS: Words = {
  negative: msg`More was taken than was booked in. Count it, or receive what was forgotten.`,
  out: msg`Order it, or receive what has come in.`,
  low: msg`Order it in time, or lower its minimum.`,
  components_short: msg`Receive or count what is missing, then take it from stock.`,
  deduct_failed: msg`Look at the order, and adjust by hand what it took.`,
  push_failed: msg`Check the shop's connection, then tell it again. Until then it may sell what is not there.`,
};
export const alarmAdvice = (kind: string): string => say(ALARMS, kind);

const PLACE_KINDS: Words = {
  warehouse: msg`Warehouse`,
  finished_goods: msg`Finished goods`,
  station: msg`Station`,
  wip: msg`Work in progress`,
  quarantine: msg`Quarantine`,
};
export const PLACES = Object.keys(PLACE_KINDS);
export const placeKindName = (kind: string): string => say(PLACE_KINDS, kind);

const APPLIES: Words = {
  any: msg`Products and accessories`,
  accessory: msg`Accessories`,
  product: msg`Products`,
};
export const APPLIES_TO = Object.keys(APPLIES);
export const appliesName = (to: string): string => say(APPLIES, to);
