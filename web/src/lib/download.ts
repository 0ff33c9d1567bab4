import { toRpcError } from "./rpc";
import { saveFile } from "./save-file";
import { db } from "./supabase";

/** Hands a file of the gatekeeper to the person: `what` is its name there, null in `query` is left out. Throws RpcError. */
export async function download(what: string, query: Record<string, string | null | undefined>): Promise<void> {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const answer = await db()
    .get(`/api/v1/exports/${what}?${new URLSearchParams(given)}`)
    .catch(() => null);
  if (!answer) throw toRpcError({}, 0);
  if (!answer.ok) {
    const said = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
    throw toRpcError({ message: said.message ?? "", hint: said.code ?? "", code: `PT${answer.status}` }, answer.status);
  }
  saveFile(what, await answer.blob());
}
