import { RpcError, toRpcError } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import type { ImportAnswer, ImportKind } from "./types";

/** What became of a file, and where its rows stand in it. */
export interface FileAnswer extends ImportAnswer {
  kind: ImportKind;
  /** The line of the file of each row. */
  lines: number[];
}

const ANSWER_MS = 90_000;

/**
 * Sends a CSV file or workbook to be tried, or (with the `id` of the command) to be done: rows are read by the server,
 * the same way as by the command line. `kind` null: it says itself what it holds. Throws RpcError.
 */
export async function importFile(file: File, kind: ImportKind | null, id: string | null): Promise<FileAnswer> {
  const asked = new URLSearchParams({ name: file.name, apply: String(id !== null), ...(kind && { kind }) });
  const headers = await db()
    .headers({ "content-type": "application/octet-stream", ...(id && { "idempotency-key": id }) })
    .catch(() => null);
  if (!headers) throw toRpcError({}, 0);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const answer = await fetch(`/api/v1/stock/import?${asked}`, { method: "POST", headers, body: file, signal }).catch(
    () => null,
  );
  if (!answer) throw toRpcError({}, 0);
  const said = (await answer.json().catch(() => ({}))) as FileAnswer & Refused;
  if (answer.ok) return said;
  const code = said.sqlstate ?? `PT${answer.status}`;
  throw toRpcError({ message: said.message ?? "", code, hint: said.code ?? "", details: said.detail }, answer.status);
}

interface Refused {
  code?: string;
  message?: string;
  detail?: unknown;
  sqlstate?: string;
}

/** Whether sending the same file again may help. */
export const mayRepeat = (error: unknown): boolean => error instanceof RpcError && error.canRepeat;
