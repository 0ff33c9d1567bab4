/** Remembers the newest `limit` event ids, so that an event that comes by two ways counts once. */
export class SeenEvents {
  #ids = new Set<number>();
  constructor(private readonly limit = 5000) {}

  /** True the first time. */
  add(id: number): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.limit) {
      const oldest = this.#ids.values().next().value;
      if (oldest !== undefined) this.#ids.delete(oldest);
    }
    return true;
  }
}

export interface Fetched {
  cursor: string;
  id: number;
  stream: string;
  stream_id: string;
}

export interface History {
  /** events_cursor(): the cursor of now. */
  now(): Promise<string>;
  /** events_since(cursor): at most `limit` events in commit order. */
  since(cursor: string, limit: number): Promise<Fetched[]>;
}

/**
 * Follows the history of events: everything once, nothing missed. Broadcasts are hints that come early and may be
 * lost; catchUp() reads what was missed from the server's commit-ordered history.
 */
export class Follower {
  #cursor: string | null = null;
  #seen = new SeenEvents();
  #running: Promise<boolean> | null = null;

  constructor(
    private readonly history: History,
    private readonly onEvents: (events: { stream: string; stream_id: string }[]) => void,
    /** The history was restored behind our cursor: everything shown is void. */
    private readonly onReset: () => void,
    private readonly isAhead: (error: unknown) => boolean = () => false,
    private readonly page = 500,
  ) {}

  /** A broadcast arrived. */
  hear(event: { event_id: number; stream: string; stream_id: string }): void {
    if (this.#seen.add(event.event_id)) this.onEvents([event]);
  }

  /** Takes the cursor of now the first time, later everything since. Concurrent calls share one run. Throws RpcError. */
  catchUp(): Promise<boolean> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<boolean> {
    if (this.#cursor === null) {
      this.#cursor = await this.history.now();
      return true;
    }
    try {
      for (;;) {
        const events = await this.history.since(this.#cursor, this.page);
        const fresh = events.filter((event) => this.#seen.add(event.id));
        this.#cursor = events.at(-1)?.cursor ?? this.#cursor;
        if (fresh.length > 0) this.onEvents(fresh);
        if (events.length < this.page) return true;
      }
    } catch (error) {
      if (!this.isAhead(error)) throw error;
      this.#cursor = null;
      this.onReset();
      return this.#run();
    }
  }
}
