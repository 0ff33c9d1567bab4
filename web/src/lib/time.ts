import { i18n } from "@lingui/core";
import { msg, plural } from "@lingui/core/macro";

/** The locale for dates and numbers: the browser's own variant (en-AU) when it is of the chosen language. */
export function formatLocale(): string {
  const base = i18n.locale.split("-")[0];
  return navigator.languages?.find((code) => code.split("-")[0] === base) ?? i18n.locale;
}

/** Today in a plant's time zone, as YYYY-MM-DD. */
export function plantDay(zone: string, now = new Date()): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(now);
}

/** The beginning or the end of a plant's calendar day (YYYY-MM-DD) as an instant. */
export function instantOf(day: string, isEnd: boolean, zone: string): string {
  const midnight = Date.parse(`${day}T00:00:00Z`) + (isEnd ? 86_400_000 : 0);
  return Number.isNaN(midnight) ? day : instantOfWall(new Date(midnight).toISOString().slice(0, 16), zone);
}

/** What a clock of the plant shows (YYYY-MM-DDTHH:MM) as an instant. */
export function instantOfWall(time: string, zone: string): string {
  const shown = Date.parse(`${time}Z`);
  if (Number.isNaN(shown)) return time;
  const wall = (at: number) => {
    const parts = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
      hourCycle: "h23",
    }).format(at);
    return Date.parse(`${parts.replace(", ", "T")}Z`);
  };
  const guess = shown - (wall(shown) - shown);
  return new Date(guess - (wall(guess) - shown)).toISOString(); // once more: the clocks may change between the two
}

/** Whole days from `from` to `to`, both YYYY-MM-DD; negative when `to` is earlier. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}

/** A calendar day (YYYY-MM-DD, no zone) like "Sat 21 Nov". */
export function formatDay(day: string): string {
  const format = new Intl.DateTimeFormat(formatLocale(), {
    weekday: "short",
    day: "numeric",
    month: "short",
    timeZone: "UTC",
  });
  return format.format(new Date(`${day}T00:00:00Z`));
}

/** An instant in the plant's zone. */
export function formatInstant(at: string, zone: string): string {
  const format = new Intl.DateTimeFormat(formatLocale(), { dateStyle: "medium", timeStyle: "short", timeZone: zone });
  return format.format(new Date(at));
}

/** The time of day of an instant, as a clock of the plant shows it. */
export function formatTime(at: string | number, zone: string): string {
  return new Intl.DateTimeFormat(formatLocale(), { timeStyle: "short", timeZone: zone }).format(new Date(at));
}

/** With at most three decimals, unless more are asked for. */
export function formatNumber(value: number, decimals = 3): string {
  return new Intl.NumberFormat(formatLocale(), { maximumFractionDigits: decimals }).format(value);
}

/** "12 s", "5 min", "3 h", "2 days". */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return i18n._(msg`${seconds} s`);
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return i18n._(msg`${minutes} min`);
  const hours = Math.round(minutes / 60);
  if (hours < 48) return i18n._(msg`${hours} h`);
  const days = Math.round(hours / 24);
  return i18n._(msg`${plural(days, { one: "# day", other: "# days" })}`);
}

/** How long something took, to the minute: "42 s", "12 min", "3 h 05 min", "2 days 4 h". */
export function formatSpan(given: number): string {
  const seconds = Math.max(0, Math.round(given));
  if (seconds < 60) return i18n._(msg`${seconds} s`);
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return i18n._(msg`${minutes} min`);
  const [hours, rest] = [Math.floor(minutes / 60), String(minutes % 60).padStart(2, "0")];
  if (hours < 48) return i18n._(msg`${hours} h ${rest} min`);
  const [days, more] = [Math.floor(hours / 24), hours % 24];
  return i18n._(msg`${plural(days, { one: "# day", other: "# days" })} ${more} h`);
}

/** Due date in words with the urgency it has today. */
export function dueInWords(
  due: string | null,
  today: string,
): { text: string; level: "late" | "today" | "soon" | "later" } {
  if (!due) return { text: i18n._(msg`No due date`), level: "later" };
  const days = daysBetween(today, due);
  if (days < 0) {
    const late = -days;
    return { text: i18n._(msg`${plural(late, { one: "# day late", other: "# days late" })}`), level: "late" };
  }
  if (days === 0) return { text: i18n._(msg`Due today`), level: "today" };
  if (days === 1) return { text: i18n._(msg`Due tomorrow`), level: "soon" };
  const day = formatDay(due);
  return { text: i18n._(msg`Due ${day}`), level: days <= 3 ? "soon" : "later" };
}
