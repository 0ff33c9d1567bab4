import { indexedStorage } from "./local-db";
import { Outbox } from "./outbox";
import { type RpcArgs, RpcError, type RpcName, rpc } from "./rpc";
import { serverClock } from "./server-clock";
import { session } from "./session";
import type { Answer, SendOutcome, Waiting } from "./waiting";
import { entityOf } from "./waits";

export type { Answer } from "./waiting";

async function send(entry: Waiting): Promise<SendOutcome> {
  try {
    return { kind: "done", data: await rpc(entry.rpc as RpcName, { ...entry.args, p_request_id: entry.id }) };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { kind: error.canRepeat || error.kind === "signed-out" ? "later" : "refused", error };
  }
}

export const outbox = new Outbox({
  storage: indexedStorage,
  send,
  user: () => session.get().who?.user_id ?? null,
  isOnline: () => navigator.onLine,
  newId: newRequestId,
  now: () => Date.now(),
  serverNow: () => serverClock.read(),
});

/** Only one tab sends; the others see the rest when they are shown again. */
export async function drainOutbox(): Promise<void> {
  if (!navigator.locks) return outbox.drain();
  await navigator.locks.request("takt.outbox", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    await outbox.load().catch(() => undefined); // without a disk this page's own still go out
    await outbox.drain();
  });
}

export function startOutbox(): void {
  const wake = () => {
    if (outbox.entries.get().length > 0) void drainOutbox();
  };
  void outbox.load().then(wake);
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
  setInterval(wake, 3000);
}

/** `crypto.randomUUID` exists on secure origins only; a station may reach the server by plain http on the LAN. */
export function newRequestId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Gives a command with a request id. `entity`: what it is about, where its arguments do not say it; with it, and when the
 * command may wait, no answer puts it into the outbox (state "queued") instead of failing. The same command given again by
 * the same person before an answer came is the same command, also after a reload: a glove taps twice, and a lost answer is
 * asked for again. Throws RpcError when it is refused or cannot wait.
 */
export function command<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  entity?: string,
): Promise<Answer<T>> {
  const args = given as Record<string, unknown>;
  return outbox.give<T>({ rpc: name, args, entity: entity ?? entityOf(name, args) });
}
