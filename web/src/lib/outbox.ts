import { RpcError } from "./rpc";
import { createStore } from "./store";
import type { Answer, Outside, SendOutcome, Waiting, Wish } from "./waiting";
import { adds, isQueueable, withTime } from "./waits";

// What only a person may repeat is the same command for a shift; next day the same words are another wish.
const SAME_MS = 12 * 3_600_000;

/**
 * Commands from the tap to their answer, kept on disk between: what has no answer yet keeps its request id through a
 * reload, and the same tap once more is the same command. Sent in order per entity; a refused one holds back the later
 * ones of its entity until a person retries or drops it. Nothing here is ever shown as done.
 */
export class Outbox {
  /** What a person should know of: all that is not simply under way. */
  readonly entries = createStore<Waiting[]>([]);
  readonly #running = new Map<string, Promise<Answer<unknown>>>();
  /** The last command given of each entity, until its answer: the next one waits for it. */
  readonly #latest = new Map<string, Promise<Answer<unknown>>>();
  readonly #asked = new Set<string>();
  /** What the disk does not have as it is here. */
  readonly #unstored = new Set<string>();
  #last = 0;
  #ready: Promise<void> | null = null;
  #draining: Promise<void> | null = null;

  constructor(private readonly out: Outside) {}

  /** Reads what an earlier visit, or another tab, left behind. */
  async load(): Promise<void> {
    const found = await this.out.storage.all();
    const isOurs = (e: Waiting) => this.#asked.has(e.id) || this.#unstored.has(e.id);
    const theirs = found.filter((e) => !isOurs(e));
    this.#show([
      ...this.entries.get().filter(isOurs),
      ...theirs.map((e) => (e.state === "asked" ? { ...e, state: lostAs(e) } : e)),
    ]);
  }

  /**
   * Gives a command. The answer; or "queued" when it waits: it may be sent later and has no answer, or stands behind one
   * that has none. Commands of one entity are sent one after the other. Throws RpcError when it is refused or cannot wait.
   */
  give<T>(wish: Wish): Promise<Answer<T>> {
    const user_id = this.out.user() ?? ""; // at a shared station somebody else may stand there when the answer comes
    const key = JSON.stringify([wish.rpc, wish.args, wish.entity, user_id]);
    const running = this.#running.get(key);
    const ahead = wish.entity === undefined ? running : this.#latest.get(wish.entity);
    // Given again after something else of its entity it is another wish, unless each is more.
    if (running && (running === ahead || adds(wish.rpc))) return running as Promise<Answer<T>>;
    const answer = this.#give<T>(wish, user_id, key, ahead).finally(() => {
      if (this.#running.get(key) === answer) this.#running.delete(key);
      if (this.#latest.get(wish.entity ?? "") === answer) this.#latest.delete(wish.entity ?? "");
    });
    this.#running.set(key, answer);
    if (wish.entity !== undefined) this.#latest.set(wish.entity, answer);
    return answer;
  }

  /** The first of this person's commands that has no answer and is about this. */
  holds(entity: string): Waiting | undefined {
    const user = this.out.user();
    const holds = (e: Waiting) => e.entity === entity && e.user_id === user && e.state !== "unanswered";
    return this.entries.get().find(holds);
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
    await this.#forget(id);
    await this.drain();
  }

  async #give<T>(wish: Wish, user_id: string, key: string, ahead?: Promise<unknown>): Promise<Answer<T>> {
    this.#ready ??= this.load().catch(() => undefined); // without a disk it is remembered as long as the page
    await this.#ready;
    const before = this.#same(key, wish.rpc);
    if (before?.state === "waiting") {
      void this.drain();
      return { state: "queued", entry: before };
    }
    const entry = before ?? this.#entry(wish, user_id, key);
    const mayWait = wish.entity !== undefined && user_id !== "" && isQueueable(wish.rpc);
    this.#asked.add(entry.id);
    try {
      if (!before) await this.out.storage.put(entry).catch(() => undefined);
      await ahead?.catch(() => undefined);
      const isHeld = !this.#isOf(entry) || this.holds(entry.entity);
      return mayWait && isHeld ? await this.#wait(entry) : await this.#ask<T>(entry, mayWait);
    } finally {
      this.#asked.delete(entry.id);
    }
  }

  async #ask<T>(entry: Waiting, mayWait: boolean): Promise<Answer<T>> {
    let outcome = await this.#send(entry);
    let isInDoubt = entry.state === "unanswered"; // sent before, and perhaps done
    if (outcome.kind !== "done" && outcome.error.canRepeat) {
      isInDoubt = true;
      if (this.out.isOnline() && this.#isOf(entry)) outcome = await this.#send(entry); // its id makes it safe
    }
    if (outcome.kind === "done") {
      await this.#forget(entry.id);
      return { state: "done", data: outcome.data as T };
    }
    if (isJudged(outcome.error, isInDoubt)) await this.#forget(entry.id);
    else if (mayWait && outcome.kind === "later") return this.#wait(entry);
    else await this.#keep({ ...entry, state: "unanswered" }).catch(() => undefined);
    throw outcome.error;
  }

  /** Nobody else's sign-in sends it, whoever stands there by now. */
  async #send(entry: Waiting): Promise<SendOutcome> {
    if (this.#isOf(entry)) return this.out.send(entry);
    return { kind: "later", error: new RpcError("signed-out", "", "PT401", "", {}) };
  }

  #isOf(entry: Waiting): boolean {
    return (this.out.user() ?? "") === entry.user_id;
  }

  /** It is safe on disk when this resolves. Throws when the browser cannot store. */
  async #wait<T>(entry: Waiting): Promise<Answer<T>> {
    const waiting: Waiting = { ...entry, state: "waiting" };
    await this.#keep(waiting);
    return { state: "queued", entry: waiting };
  }

  #entry(wish: Wish, user_id: string, key: string): Waiting {
    const [id, at] = [this.out.newId(), this.out.now()];
    this.#last = 1 + Math.max(this.#last, ...this.entries.get().map((e) => e.seq));
    const args = withTime(wish.rpc, wish.args, this.out.serverNow());
    const { rpc, entity = "" } = wish;
    return { id, seq: this.#last, entity, rpc, args, user_id, at, wish: key, state: "asked", refusal: null };
  }

  /** The same command given before and not answered; of those that wait only the last one, unless each is more. */
  #same(key: string, rpc: string): Waiting | undefined {
    const known = this.entries.get();
    const same = known.filter((e) => e.wish === key).at(-1);
    if (same?.state === "unanswered") return this.out.now() - same.at < SAME_MS ? same : undefined;
    if (same?.state !== "waiting" || adds(rpc)) return same?.state === "waiting" ? same : undefined;
    const { entity, user_id } = same;
    return known.filter((e) => e.entity === entity && e.user_id === user_id).at(-1) === same ? same : undefined;
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next; next = this.#next()) {
      const outcome = await this.out.send(next);
      if (outcome.kind === "later") return;
      if (outcome.kind === "done") await this.#forget(next.id);
      else if (!isQueueable(next.rpc) && !isJudged(outcome.error, true))
        await this.#keep({ ...next, state: "unanswered" });
      else {
        const { hint, message, details } = outcome.error;
        await this.#keep({ ...next, state: "refused", refusal: { hint, message, details } });
      }
    }
  }

  /** The oldest command whose entity has nothing refused before it. */
  #next(): Waiting | undefined {
    const user = this.out.user();
    const held = new Set<string>();
    for (const entry of this.entries.get()) {
      if (entry.user_id !== user || entry.state === "unanswered") continue;
      if (entry.state === "refused") held.add(entry.entity);
      else if (!held.has(entry.entity)) return entry;
    }
    return undefined;
  }

  async #keep(entry: Waiting): Promise<void> {
    this.#unstored.add(entry.id);
    this.#show([...this.entries.get().filter((e) => e.id !== entry.id), entry]);
    await this.out.storage.put(entry);
    this.#unstored.delete(entry.id);
  }

  async #forget(id: string): Promise<void> {
    await this.out.storage.remove(id).catch(() => undefined);
    this.#unstored.delete(id);
    const known = this.entries.get();
    if (known.some((e) => e.id === id)) this.#show(known.filter((e) => e.id !== id));
  }

  #show(entries: Waiting[]): void {
    this.entries.set([...entries].sort((a, b) => a.seq - b.seq));
  }
}

// A SQLSTATE, or a code of PostgREST: nothing of the transaction stayed. What stands between may have lost the answer.
const TOLD_BY_DATABASE = /^([0-9A-Z]{5}|PGRST\d+)$/;

/**
 * Whether nothing is left to ask about: the server said no. An ended session, or a defect that the database told, says so
 * of this sending only, nothing of one before that is in doubt.
 */
const isJudged = (error: RpcError, isInDoubt: boolean): boolean =>
  error.kind === "refused" ||
  (!error.canRepeat && !isInDoubt && (error.kind === "signed-out" || TOLD_BY_DATABASE.test(error.code)));

/** What a command is whose page is gone before its answer came. */
const lostAs = (entry: Waiting): "waiting" | "unanswered" =>
  entry.entity !== "" && entry.user_id !== "" && isQueueable(entry.rpc) ? "waiting" : "unanswered";
