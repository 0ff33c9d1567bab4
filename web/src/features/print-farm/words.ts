import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { formatAge, formatLocale, formatNumber } from "@/lib/time";
import type { BadgeTone } from "@/ui/badge";
import type { Alarm } from "./types";

const say = (known: Record<string, MessageDescriptor>, word: string): string => {
  const found = known[word];
  return found ? i18n._(found) : word.replaceAll("_", " ");
};

const GROUP_NAMES: Record<string, MessageDescriptor> = {
  critical: msg`Critical`,
  rush: msg`Rush`,
  normal: msg`Normal`,
  low: msg`Low`,
  stock: msg`For the shelf`,
  minimum: msg`Up to the minimum stock`,
};
export const groupName = (group: string): string => say(GROUP_NAMES, group);
export const groupTone = (group: string): BadgeTone =>
  group === "critical" ? "bad" : group === "rush" ? "warn" : "plain";

const FULFILMENT: Record<string, [MessageDescriptor, BadgeTone]> = {
  fulfilled: [msg`Ready: all parts are there`, "ok"],
  partial: [msg`Some parts are there`, "warn"],
  unfulfilled: [msg`Waits for parts`, "plain"],
};
export const fulfilmentName = (status: string): string => {
  const found = FULFILMENT[status];
  return found ? i18n._(found[0]) : status;
};
export const fulfilmentTone = (status: string): BadgeTone => FULFILMENT[status]?.[1] ?? "plain";

const OUTCOMES: Record<string, MessageDescriptor> = {
  success: msg({ message: "Printed", context: "3D print" }),
  failed: msg`Failed`,
  cancelled: msg`Cancelled`,
  unknown: msg`Nobody knows`,
  ignored: msg`No production print`,
};
export const outcomeName = (outcome: string): string => say(OUTCOMES, outcome);
const OUTCOME_TONES: Record<string, BadgeTone> = { success: "ok", failed: "bad", unknown: "warn" };
export const outcomeTone = (outcome: string): BadgeTone => OUTCOME_TONES[outcome] ?? "plain";

const WAITS: Record<string, MessageDescriptor> = {
  unmapped: msg`Waits for its parts to be named`,
  review: msg`Waits for a decision`,
};
/** What a print still waits for; empty when nothing. */
export const waitsName = (status: string): string => (WAITS[status] ? say(WAITS, status) : "");

/** Why a print waits for a person, and what was odd about it. */
const REASONS: Record<string, MessageDescriptor> = {
  unmapped: msg`Nobody has said yet which parts this file gives.`,
  unnamed: msg`The printer gave no name that says which file it was. Look at the plate and name the parts.`,
  ambiguous: msg`Its names are mapped to different parts. Look at the plate and name the parts.`,
  unknown: msg`Nobody saw how it ended. Look at the plate: did it come out?`,
  superseded: msg`The next print began before the end of this one was seen. Did it come out?`,
  lost: msg`The printer forgot about it, for instance after a power cut. Did it come out?`,
  recovered_unseen: msg`It began and ended while nobody watched the printer. Did it come out?`,
  short_run: msg`It took less than a minute. Was it a real print?`,
  skipped: msg`Objects were skipped, and nobody can tell of which part. Count the good parts.`,
  all_skipped: msg`Every object was skipped. Is anything on the plate?`,
  overlap: msg`At that time this printer made another print that is counted already. Is it the same one?`,
  finish_below_100: msg`The printer said it was done before it reached 100 percent.`,
  reported_again: msg`It was reported again, with another outcome.`,
};
export const reasonWords = (reason: string): string => say(REASONS, reason);

/** How a printer is reached, and what to do. */
const LINKS: Record<string, MessageDescriptor> = {
  online: msg`Watched: its reports arrive.`,
  connecting: msg`The bridge is connecting to it.`,
  stale: msg`Connected, but silent. The bridge asks it again by itself.`,
  offline: msg`Not reachable: is it on, and in the network?`,
  auth: msg`It refuses the access code: read the new one on its screen and give it to the bridge.`,
  wrong_serial: msg`Connected, but not one report came: is the serial number right?`,
  cert_mismatch: msg`Another machine answers at its address: check the address in the bridge.`,
  flapping: msg`The connection breaks again and again: close other programs that hold it, look at the Wi-Fi.`,
};
export const linkWords = (link: string): string => say(LINKS, link);

/** What the farm wants from somebody now; the server's sentence where the kind is not known here. */
export function alarmWords(alarm: Alarm, machine: string | null, now: number): string {
  const { name, last_seen_at, link } = alarm.details ?? {};
  const age = last_seen_at ? formatAge(now - Date.parse(last_seen_at)) : null;
  if (alarm.code === "farm.bridge_silent" && name)
    return age
      ? i18n._(msg`The bridge ${name} has been silent for ${age}: is its computer on, and in the network?`)
      : i18n._(msg`The bridge ${name} was never heard: start it.`);
  if (alarm.code === "farm.printer_link" && machine && link) return `${machine}: ${linkWords(link)}`;
  if (alarm.code === "farm.service_due" && machine) return i18n._(msg`${machine} is due for service.`);
  return alarm.message;
}

/** Why a printer does not print. */
const WAITING: Record<string, MessageDescriptor> = {
  retired: msg`Switched off here: it is not planned for.`,
  maintenance: msg`In maintenance: it is not planned for.`,
  offline: msg`Nothing is heard from it.`,
  paused: msg`Paused: go and see what it asks for.`,
  plate: msg`Clear its plate, then it can go on.`,
  error: msg`It stopped with an error: go and look at its screen.`,
  outside_hours: msg`Outside its hours: nobody starts prints now.`,
  nothing_started: msg`Free: start the next print.`,
};
export const waitingWords = (because: string): string => say(WAITING, because);

const MACHINE_STATES: Record<string, [MessageDescriptor, BadgeTone]> = {
  idle: [msg`Free`, "ok"],
  printing: [msg`Printing`, "accent"],
  paused: [msg({ message: "Paused", context: "3D printer" }), "warn"],
  error: [msg`Stopped with an error`, "bad"],
  offline: [msg`Not there`, "bad"],
};
export const machineState = (state: string): [string, BadgeTone] => {
  const found = MACHINE_STATES[state];
  return found ? [i18n._(found[0]), found[1]] : [state, "plain"];
};

const PHASES: Record<string, MessageDescriptor> = {
  starting: msg`Heating and levelling`,
  printing: msg`Printing`,
  paused: msg({ message: "Paused", context: "3D printer" }),
  ending: msg`Finishing`,
};
export const phaseName = (phase: string): string => say(PHASES, phase);

const PROBLEMS: Record<string, MessageDescriptor> = {
  unmapped: msg`Nobody has said which parts this file gives: it will wait when it is done.`,
  unnamed: msg`The file has no name that says what it is: it will wait when it is done.`,
  ambiguous: msg`Its names are mapped to different parts: it will wait when it is done.`,
};
export const problemWords = (problem: string): string => say(PROBLEMS, problem);

/** Why parts of a plate are no good; kept in these words, shown in the reader's. */
const REJECTS: Record<string, MessageDescriptor> = {
  warped: msg`Warped`,
  "came loose": msg`Came loose from the plate`,
  stringing: msg`Strings or blobs`,
  incomplete: msg`Not complete`,
  "broken when taken off": msg`Broke when taken off`,
  "wrong colour": msg`Wrong colour`,
};
export const REJECT_REASONS = Object.keys(REJECTS);
export const rejectName = (reason: string): string => say(REJECTS, reason);

/** What moved a promise last. */
const CAUSES: Record<string, MessageDescriptor> = {
  "print_run.recorded": msg`a print was booked`,
  "print_run.corrected": msg`a print was corrected`,
  "production.created": msg`an order came in`,
  "production.changed": msg`an order was changed`,
  "production.cancelled": msg`an order was cancelled`,
  "production.shipped": msg`an order was shipped`,
  "stock.received": msg`stock was received`,
  "stock.adjusted": msg`stock was adjusted`,
  "stock.scrapped": msg`parts were scrapped`,
  "stock.issued": msg`parts were taken out`,
  "count.booked": msg`a count was booked`,
  "order.settled": msg`tickets came in or changed`,
  "stage.completed": msg`a stage used parts`,
  "stage.undone": msg`a stage was taken back`,
};
export const causeName = (event: string): string => say(CAUSES, event);

/** Minutes as "2 h 30 min". */
export function formatMinutes(minutes: number): string {
  const whole = Math.round(minutes);
  const hours = Math.floor(whole / 60);
  const rest = whole % 60;
  if (hours === 0) return i18n._(msg`${rest} min`);
  const shown = formatNumber(hours);
  return rest === 0 ? i18n._(msg`${shown} h`) : i18n._(msg`${shown} h ${rest} min`);
}

/** Grams as "850 g" or "1.2 kg". */
export function formatGrams(grams: number): string {
  if (grams < 1000) return i18n._(msg`${formatNumber(Math.round(grams))} g`);
  return i18n._(msg`${formatNumber(Math.round(grams / 100) / 10)} kg`);
}

/** When something will be, near enough for today: "14:05", "Sat 14:05", "Sat 28 Nov, 14:05". */
export function formatSoon(at: string, zone: string, now = Date.now()): string {
  const instant = new Date(at);
  const day = (time: number | Date) => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(time);
  const time = { hour: "numeric", minute: "2-digit", timeZone: zone } as const;
  if (day(instant) === day(now)) return new Intl.DateTimeFormat(formatLocale(), time).format(instant);
  const near = Math.abs(instant.getTime() - now) < 6 * 86_400_000;
  const date = near ? {} : ({ day: "numeric", month: "short" } as const);
  return new Intl.DateTimeFormat(formatLocale(), { weekday: "short", ...date, ...time }).format(instant);
}

/** A file and its plate. */
export function fileName(name: string | null, plate: number | null): string {
  if (!name) return i18n._(msg`File without a name`);
  return plate === null ? name : i18n._(msg`${name}, plate ${plate}`);
}
