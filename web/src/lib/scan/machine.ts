/** What one key did to the capture. `first` marks the key with which a possible scan begins. */
export type Step =
  | { kind: "ignored" }
  | { kind: "char"; first: boolean; fast: boolean }
  | { kind: "scan"; code: string }
  /** A scanner's characters ended without the beginning: never guess the rest. */
  | { kind: "cut" };

export interface WedgeOptions {
  /** Keys that come on average faster than this are a machine; ms. Slow Bluetooth scanners send one key in 45 ms. */
  keyGapMs: number;
  /** Shorter codes are typing. */
  minLength: number;
}

export const WEDGE_DEFAULTS: WedgeOptions = { keyGapMs: 52, minLength: 3 };

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/**
 * Tells a scanner that types from a person who types, by time only. A scan is a run of at least `minLength` characters
 * without a pause, fast in the middle, and ended by Enter or Tab. Times are event times (ms), not clock readings: a page
 * that is busy gets its keys late, but they keep their times.
 */
export class WedgeMachine {
  #text = "";
  #times: number[] = [];
  /** When a run was given up without its end that may have been the beginning of a code, ms. */
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Runs of one or two keys in a row: one may be a scanner that was held up, several are somebody who types. */
  #slowRuns = 0;

  constructor(public options: WedgeOptions = WEDGE_DEFAULTS) {}

  char(character: string, time: number): Step {
    const gap = time - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY);
    const first = gap > this.#pause();
    if (first) {
      this.#giveUp();
      this.#clear();
    }
    this.#text += character;
    this.#times.push(time);
    return { kind: "char", first, fast: !first && gap <= this.options.keyGapMs };
  }

  /** Enter or Tab. */
  end(time: number): Step {
    const code = this.#text;
    const begun = this.#times[0] ?? time;
    const prompt = time - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) <= this.#pause();
    const isScan = prompt && code.length >= this.options.minLength && this.#isFast();
    const cut = isScan && begun - this.#lostAt < 1000;
    this.reset();
    if (cut) return { kind: "cut" };
    return isScan ? { kind: "scan", code } : { kind: "ignored" };
  }

  /** A key that no scanner sends: whatever was begun is typing. */
  reset(): void {
    this.#clear();
    this.#lostAt = Number.NEGATIVE_INFINITY;
    this.#slowRuns = 0;
  }

  /** A longer time between two keys ends a run, ms. */
  #pause(): number {
    return Math.max(250, this.options.keyGapMs * 4);
  }

  #giveUp(): void {
    const last = this.#times.at(-1);
    if (last === undefined) return;
    const fast = this.#times.length > 2 && this.#isFast();
    this.#slowRuns = fast ? 0 : this.#slowRuns + 1;
    this.#lostAt = fast || (this.#slowRuns === 1 && this.#times.length < 3) ? last : Number.NEGATIVE_INFINITY;
  }

  #isFast(): boolean {
    const gaps = this.#times.slice(1).map((time, index) => time - (this.#times[index] ?? time));
    return gaps.length > 0 && median(gaps) <= this.options.keyGapMs;
  }

  #clear(): void {
    this.#text = "";
    this.#times = [];
  }
}
