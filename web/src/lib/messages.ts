import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { commandName, stageName } from "./labels";
import { RpcError } from "./rpc";
import type { Waiting } from "./waiting";

type Facts = Record<string, unknown>;
type Sentence = (facts: Facts) => MessageDescriptor;
const text = (value: unknown) => (Array.isArray(value) ? value.join(", ") : stageName(String(value ?? "?")));

/** Sentences for the stable codes of sql/ERRORS.md that people at a bench meet; the others keep the server's words. */
const SENTENCES: Record<string, Sentence> = {
  "station.locked": () => msg`The station is locked. Scan your badge or type your PIN.`,
  "station.not_a_station": () => msg`This works at a shared station only.`,
  "person.wrong_pin": (f) => msg`Wrong PIN. ${text(f.left)} more tries before it locks.`,
  "person.locked": () => msg`Too many wrong PINs. Wait a few minutes, or ask a manager for a new one.`,
  "person.no_pin": () => msg`You have no PIN yet. Set one in your own account, or ask a manager.`,
  "person.unknown_badge": () => msg`This badge is not known here. Ask a manager for a new one.`,
  "person.not_here": () => msg`You do not work at this site. Ask a manager.`,
  "person.weak_pin": () => msg`Choose 4 to 8 digits that are not all equal and not in a row.`,
  "device.bad_code": () => msg`The code is wrong, used, or too old. Ask for a new one.`,
  "auth.required": () => msg`Sign in first.`,
  "auth.not_staff": () => msg`This account is not active here. Ask an admin.`,
  "auth.forbidden": () => msg`Your role does not allow this. Ask a supervisor.`,
  "auth.other_store": () => msg`That belongs to a store you do not work in.`,
  "request.too_long": () => msg`The text is too long. Shorten it.`,
  "kpi.range": () => msg`That is too long a time for this, or it ends before it begins. Choose other days.`,
  "order.unknown": () => msg`There is no such order.`,
  "order.stale": () => msg`Somebody changed this order meanwhile. Look again before you save.`,
  "order.wrong_stage": (f) => msg`The ticket is in ${text(f.actual)}; this needs ${text(f.expected)}.`,
  "order.not_started": () => msg`This stage has not been started.`,
  "order.cancelled": () => msg`This order is cancelled. Set it aside.`,
  "order.change_pending": () => msg`The order was changed after work began. Read the change and acknowledge it first.`,
  "order.closed": () => msg`This order is finished or cancelled.`,
  "order.reason_required": () => msg`Give a reason.`,
  "order.bad_assignee": () => msg`This person does not work in this store.`,
  "order.unknown_storage": () => msg`There is no such storage place in this store.`,
  "order.due_date_blocked": () => msg`Nothing can be due on that day.`,
  "order.title_required": () => msg`Say what is to be made.`,
  "order.quantity": () => msg`Between 1 and 100 pieces at a time.`,
  "scan.empty": () => msg`Nothing was scanned. Try again.`,
  "scan.unknown": (f) => msg`There is no order for ${text(f.scanned)}.`,
  "scan.gs1": () => msg`That is a product code, not an order. Scan the code on the ticket.`,
  "scan.ambiguous": () => msg`Several tickets match. Which one is it?`,
  "scan.wrong_order": (f) => msg`Wrong ticket: expected ${text(f.expected)}, scanned ${text(f.actual)}.`,
  "scan.wrong_store": (f) => msg`This station works for ${text(f.expected)}; the ticket is from ${text(f.actual)}.`,
  "scan.wrong_stage": (f) => msg`This station does ${text(f.expected)}; the ticket is in ${text(f.actual)}.`,
  "undo.nothing": () => msg`There is nothing of yours to undo.`,
  "undo.too_late": () => msg`That was too long ago. Ask a supervisor.`,
  "undo.blocked": (f) => msg`Not possible any more: ${text(f.by)} changed it since. Undo that first.`,
  "staff.rank": () => msg`Only someone with that role or above may do this.`,
  "staff.last_admin": () => msg`This is the last active admin. Make another one first.`,
  "roles.fixed": () => msg`This would lock everybody out.`,
  "device.exists": () => msg`There is a device with this code already.`,
  "photo.unknown": () => msg`This photo was not taken for this. Take it again.`,
  "photo.missing": () => msg`The photo has not arrived yet. Send it again.`,
  "photo.too_many": () => msg`Too many photos were begun and never kept. Try again tomorrow.`,
  "settings.stale": () => msg`Somebody changed this setting meanwhile. Look again before you save.`,
  "webhook.unknown": () => msg`There is no such webhook. Reload the inbox.`,
};

/** The sentence for a stable code, in the reader's language; `fallback` when the code is not known here. */
export function sentence(code: string | null, facts: Facts, fallback: string): string {
  const known = code ? SENTENCES[code] : undefined;
  return known ? i18n._(known(facts)) : fallback;
}

/** What to tell a person about anything that was thrown. */
export function explain(error: unknown): string {
  if (!(error instanceof RpcError)) return error instanceof Error ? error.message : String(error);
  if (error.kind === "offline") return i18n._(msg`No connection to the server. Try again when the network is back.`);
  if (error.hint in SENTENCES) return sentence(error.hint, error.details, error.message);
  if (error.kind === "busy") return i18n._(msg`The server is busy. Try again in a moment.`);
  if (error.kind === "signed-out") return i18n._(msg`You were signed out. Sign in again.`);
  return sentence(error.hint, error.details, error.message || i18n._(msg`Something went wrong.`));
}

/** What to tell a person whose command has no answer yet. */
export function queuedText({ rpc, entity }: Waiting): string {
  return i18n._(msg`No answer yet: ${commandName(rpc)} (${entity}). It is sent again by itself, and counts once.`);
}
