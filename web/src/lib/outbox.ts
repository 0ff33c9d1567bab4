import { createStore } from "./store";

/** One command that waits to be sent, or that the server refused and a person must look at. */
export interface Waiting {
  /** The command's request id: the server answers a repeat with its first answer. */
  id: string;
  /** Order in which they were given; grows. */
  seq: number;
  /** Commands of one entity (a ticket) go out one after the other. */
  entity: string;
  rpc: string;
  args: Record<string, unknown>;
  /** Who gave it; nobody else's sign-in sends it. */
  user_id: string;
  /** ms since 1970. */
  at: number;
  state: "waiting" | "refused";
  /** Why it was refused: machine code and sentence of the server. */
  refusal: { hint: string; message: string; details: Record<string, unknown> } | null;
}

/** Where waiting commands are kept across reloads. */
export interface OutboxStorage {
  all(): Promise<Waiting[]>;
  put(entry: Waiting): Promise<void>;
  remove(id: string): Promise<void>;
}

export type SendOutcome =
  | { kind: "done" }
  | { kind: "later" }
  | { kind: "refused"; hint: string; message: string; details: Record<string, unknown> };

/** What may be sent later: commands that say exactly what they want of which ticket, whatever happened meanwhile. A scan
 * does not (its meaning depends on the ticket's state), nor undo, cancel, a return or an edit. */
const QUEUEABLE = new Set([
  "handle_print_barcode",
  "complete_filling",
  "start_covering",
  "complete_covering",
  "start_decorating",
  "complete_decorating",
  "start_packing",
  "complete_packing",
  "assign_staff",
  "unassign_staff",
  "set_storage",
  "set_priority",
]);
export const isQueueable = (name: string): boolean => QUEUEABLE.has(name);

/**
 * Commands given without a network. Sent once each, in order per entity; a refused one holds back the later ones of its
 * entity until a person retries or drops it. Nothing here is ever shown as done.
 */
export class Outbox {
  readonly entries = createStore<Waiting[]>([]);
  #draining: Promise<void> | null = null;

  constructor(
    private readonly storage: OutboxStorage,
    private readonly send: (entry: Waiting) => Promise<SendOutcome>,
    private readonly user: () => string | null,
  ) {}

  /** Reads what an earlier visit left behind. */
  async load(): Promise<void> {
    this.#show(await this.storage.all());
  }

  /** Stores a command; it is safe on disk when this resolves. Throws when the browser cannot store. */
  async add(entry: Pick<Waiting, "id" | "entity" | "rpc" | "args" | "user_id" | "at">): Promise<void> {
    const seq = 1 + Math.max(0, ...this.entries.get().map((e) => e.seq));
    const full: Waiting = { ...entry, seq, state: "waiting", refusal: null };
    await this.storage.put(full);
    this.#show([...this.entries.get(), full]);
  }

  /** Whether an earlier command of this entity still waits, so that a new one must queue behind it. */
  holds(entity: string): boolean {
    return this.entries.get().some((e) => e.entity === entity);
  }

  /** Sends what can be sent. Concurrent calls share one run. */
  drain(): Promise<void> {
    this.#draining ??= this.#run().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  async retry(id: string): Promise<void> {
    const entry = this.entries.get().find((e) => e.id === id);
    if (!entry) return;
    await this.#keep({ ...entry, state: "waiting", refusal: null });
    await this.drain();
  }

  async drop(id: string): Promise<void> {
    await this.storage.remove(id);
    this.#show(this.entries.get().filter((e) => e.id !== id));
    await this.drain();
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next; next = this.#next()) {
      const outcome = await this.send(next);
      if (outcome.kind === "later") return;
      if (outcome.kind === "done") {
        await this.storage.remove(next.id);
        this.#show(this.entries.get().filter((e) => e.id !== next?.id));
      } else {
        const { hint, message, details } = outcome;
        await this.#keep({ ...next, state: "refused", refusal: { hint, message, details } });
      }
    }
  }

  /** The oldest command whose entity has nothing refused before it. */
  #next(): Waiting | undefined {
    const user = this.user();
    const held = new Set<string>();
    for (const entry of this.entries.get()) {
      if (entry.user_id !== user) continue;
      if (entry.state === "refused") held.add(entry.entity);
      else if (!held.has(entry.entity)) return entry;
    }
    return undefined;
  }

  async #keep(entry: Waiting): Promise<void> {
    await this.storage.put(entry);
    this.#show(this.entries.get().map((e) => (e.id === entry.id ? entry : e)));
  }

  #show(entries: Waiting[]): void {
    this.entries.set([...entries].sort((a, b) => a.seq - b.seq));
  }
}
