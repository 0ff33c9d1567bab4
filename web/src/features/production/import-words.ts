import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { BadgeTone } from "@/ui/badge";
import type { ImportedRow } from "./import-run";

const RESULTS: Record<string, [MessageDescriptor, BadgeTone]> = {
  error: [msg({ message: "Refused", context: "a row of an import" }), "bad"],
  review: [msg({ message: "Somebody has to look", context: "a row of an import" }), "warn"],
  cancel_requested: [msg({ message: "Cancelled there, started here", context: "a row of an import" }), "warn"],
  created: [msg({ message: "New", context: "a row of an import" }), "ok"],
  updated: [msg({ message: "Changed", context: "a row of an import" }), "ok"],
  matched: [msg({ message: "Ours, known from now on", context: "a row of an import" }), "ok"],
  reopened: [msg({ message: "Open again", context: "a row of an import" }), "ok"],
  cancelled: [msg({ message: "Cancelled", context: "a row of an import" }), "plain"],
  unchanged: [msg({ message: "As it was", context: "a row of an import" }), "plain"],
  ignored: [msg({ message: "Older", context: "a row of an import" }), "plain"],
};

export const resultName = (result: string): string => {
  const known = RESULTS[result];
  return known ? i18n._(known[0]) : result.replaceAll("_", " ");
};
export const resultTone = (result: string): BadgeTone => RESULTS[result]?.[1] ?? "plain";

/** How many rows came to each result; what needs somebody first. */
export function counted(rows: ImportedRow[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { result } of rows) counts.set(result, (counts.get(result) ?? 0) + 1);
  const known = Object.keys(RESULTS);
  const place = (result: string) => (known.indexOf(result) + known.length + 1) % (known.length + 1);
  return [...counts].sort(([a], [b]) => place(a) - place(b));
}

/** What is wrong with a row, or worth knowing. */
export const notesOf = ({ errors, notices }: ImportedRow): string[] =>
  [...errors, ...notices].map(({ field, message }) => (field ? `${field}: ${message}` : message));
