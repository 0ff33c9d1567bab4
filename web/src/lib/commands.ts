import { indexedStorage } from "./local-db";
import { isQueueable, Outbox, type SendOutcome, type Waiting } from "./outbox";
import { type RpcArgs, RpcError, type RpcName, rpc } from "./rpc";
import { session } from "./session";

export type Answer<T> = { state: "done"; data: T } | { state: "queued" };

async function send(entry: Waiting): Promise<SendOutcome> {
  try {
    await rpc(entry.rpc as RpcName, { ...entry.args, p_request_id: entry.id });
    return { kind: "done" };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.canRepeat || error.kind === "signed-out") return { kind: "later" };
    return { kind: "refused", hint: error.hint, message: error.message, details: error.details };
  }
}

const standing = (): string | null => session.get().who?.user_id ?? null;
export const outbox = new Outbox(indexedStorage, send, standing);

/** Only one tab sends; the others see the rest when they are shown again. */
export async function drainOutbox(): Promise<void> {
  if (!navigator.locks) return outbox.drain();
  await navigator.locks.request("takt.outbox", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    await outbox.load();
    await outbox.drain();
  });
}

export function startOutbox(): void {
  const wake = () => {
    if (outbox.entries.get().some((e) => e.state === "waiting")) void drainOutbox();
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

const UNANSWERED_MS = 60_000;
interface Given {
  id: string;
  /** When it was given or, without an answer, given up. */
  at: number;
  answer: Promise<Answer<unknown>> | null;
}
/** Commands whose answer has not come: under way, or lost and perhaps done all the same. */
const unanswered = new Map<string, Given>();

/**
 * Gives a command with a request id. `entity`: the ticket it is about; with it, and when the command may wait, a missing
 * network puts it into the outbox (state "queued") instead of failing. The same command given again by the same person
 * before an answer came is the same command: a glove taps twice, and a lost answer is asked for again. Throws RpcError
 * when it is refused or cannot wait.
 */
export function command<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  entity?: string,
): Promise<Answer<T>> {
  const user_id = standing(); // who gives it; at a shared station somebody else may stand there when the answer comes
  const same = JSON.stringify([name, given, entity, user_id]);
  const before = unanswered.get(same);
  if (before?.answer) return before.answer as Promise<Answer<T>>;
  const isKnown = before !== undefined && Date.now() - before.at < UNANSWERED_MS;
  const one: Given = { id: isKnown ? before.id : newRequestId(), at: Date.now(), answer: null };
  unanswered.set(same, one);
  const answer = once<T, N>(one.id, user_id, name, given, entity);
  one.answer = answer;
  answer.then(
    () => unanswered.delete(same),
    (error: unknown) => {
      one.answer = null;
      one.at = Date.now();
      if (!(error instanceof RpcError && error.canRepeat)) unanswered.delete(same);
    },
  );
  return answer;
}

async function once<T, N extends RpcName>(
  id: string,
  user_id: string | null,
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  entity: string | undefined,
): Promise<Answer<T>> {
  const mayWait = entity !== undefined && user_id !== null && isQueueable(name);
  const wait = async (): Promise<Answer<T>> => {
    await outbox.add({
      id,
      entity: entity ?? "",
      rpc: name,
      args: given as Record<string, unknown>,
      user_id: user_id ?? "",
      at: Date.now(),
    });
    return { state: "queued" };
  };
  if (mayWait && outbox.holds(entity)) return wait();
  try {
    return { state: "done", data: await rpc<T>(name, { ...given, p_request_id: id }) };
  } catch (error) {
    if (mayWait && error instanceof RpcError && error.canRepeat) return wait();
    const mayRepeat = error instanceof RpcError && error.canRepeat && navigator.onLine && standing() === user_id;
    if (!mayRepeat) throw error;
    return { state: "done", data: await rpc<T>(name, { ...given, p_request_id: id }) }; // once more: the id makes it safe
  }
}
