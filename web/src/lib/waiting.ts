import type { RpcError } from "./rpc";

/** One command without an answer: it waits to be sent, nobody knows what became of it, or the server refused it. */
export interface Waiting {
  /** The command's request id: the server answers a repeat with its first answer. */
  id: string;
  /** Order in which they were given; grows. */
  seq: number;
  /** Commands of one entity (a ticket, a machine) go out one after the other. */
  entity: string;
  rpc: string;
  args: Record<string, unknown>;
  /** Who gave it; nobody else's sign-in sends it. */
  user_id: string;
  /** ms since 1970. */
  at: number;
  /** What was wanted: given again, it is the same command. */
  wish: string;
  /**
   * asked: under way, by a page that may be gone · waiting: goes out by itself · unanswered: perhaps done, and only a
   * person can say whether it still is to be · refused: the server said no.
   */
  state: "asked" | "waiting" | "unanswered" | "refused";
  /** Why it was refused: machine code and sentence of the server. */
  refusal: { hint: string; message: string; details: Record<string, unknown> } | null;
}

/** Where commands are kept across reloads. */
export interface OutboxStorage {
  all(): Promise<Waiting[]>;
  put(entry: Waiting): Promise<void>;
  remove(id: string): Promise<void>;
}

export type SendOutcome = { kind: "done"; data: unknown } | { kind: "later" | "refused"; error: RpcError };

export type Answer<T> = { state: "done"; data: T } | { state: "queued"; entry: Waiting };

/** What an outbox needs of the world. */
export interface Outside {
  storage: OutboxStorage;
  send(entry: Waiting): Promise<SendOutcome>;
  user(): string | null;
  isOnline(): boolean;
  newId(): string;
  /** ms since 1970, by our clock and by the server's. */
  now(): number;
  serverNow(): number;
}

export type Wish = Pick<Waiting, "rpc" | "args"> & { entity?: string | undefined };
