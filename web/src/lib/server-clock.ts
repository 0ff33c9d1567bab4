const SECOND = 1000;

/**
 * The server's time, by the `Date` of its answers. Those have whole seconds: a clock of ours that agrees with all of them
 * is believed, one that does not is put right by as little as makes it agree.
 */
export class ServerClock {
  #least = Number.NEGATIVE_INFINITY;
  #most = Number.POSITIVE_INFINITY;

  constructor(private readonly now: () => number = () => Date.now()) {}

  /** An answer: when it was asked for (by our clock), and what its header says. */
  hear(asked: number, date: string | null): void {
    const said = Date.parse(date ?? "");
    if (Number.isNaN(said)) return;
    const [least, most] = [said - this.now(), said + SECOND - asked];
    this.#least = Math.max(this.#least, least);
    this.#most = Math.min(this.#most, most);
    if (this.#least > this.#most) [this.#least, this.#most] = [least, most]; // somebody has set a clock
  }

  /** What time it is there, in ms since 1970. */
  read(): number {
    return this.now() + Math.min(Math.max(0, this.#least), this.#most);
  }
}

export const serverClock = new ServerClock();
