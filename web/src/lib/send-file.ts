import { toRpcError } from "./rpc";
import { db } from "./supabase";

const ANSWER_MS = 90_000;

interface Refused {
  code?: string;
  message?: string;
  detail?: unknown;
  sqlstate?: string;
}

/**
 * Sends a file to the gatekeeper, which reads it the same way as the command line does. `id`: of the command, where it is
 * one. Throws RpcError.
 */
export async function sendFile<T>(
  path: string,
  asked: Record<string, string>,
  file: Blob,
  id: string | null = null,
): Promise<T> {
  const headers = await db()
    .headers({ "content-type": "application/octet-stream", ...(id && { "idempotency-key": id }) })
    .catch(() => null);
  if (!headers) throw toRpcError({}, 0);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const query = new URLSearchParams(asked);
  const answer = await fetch(`${path}?${query}`, { method: "POST", headers, body: file, signal }).catch(() => null);
  if (!answer) throw toRpcError({}, 0);
  const said = (await answer.json().catch(() => ({}))) as T & Refused;
  if (answer.ok) return said;
  const code = said.sqlstate ?? `PT${answer.status}`;
  throw toRpcError({ message: said.message ?? "", code, hint: said.code ?? "", details: said.detail }, answer.status);
}
