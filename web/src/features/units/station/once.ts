const GAP_MS = 500;
const REMEMBERED_MS = 10 * 60_000;

/**
 * A glove taps twice, a reader fires twice: what comes from the same button while its step still runs, or right after it,
 * is no second wish. `once(source, work)`: what the work answers, or null when it was not done.
 */
export function firmHand(gap = GAP_MS, now: () => number = () => performance.now()) {
  const ended = new Map<string, number>();
  return async <T>(source: string, work: () => Promise<T>): Promise<T | null> => {
    if (now() - (ended.get(source) ?? Number.NEGATIVE_INFINITY) < gap) return null;
    ended.set(source, Number.POSITIVE_INFINITY);
    try {
      return await work();
    } finally {
      ended.set(source, now());
    }
  };
}

/**
 * Request ids of commands whose answer was lost: given again they are the same request, so that they happen once.
 * `known` when it was answered, well or not.
 */
export function lostAnswers(newId: () => string, now: () => number = () => Date.now()) {
  const ids = new Map<string, { id: string; at: number }>();
  return {
    idOf(name: string, given: object): string {
      const key = JSON.stringify([name, given]);
      const old = ids.get(key);
      const id = old && now() - old.at < REMEMBERED_MS ? old.id : newId();
      ids.set(key, { id, at: now() });
      return id;
    },
    known(name: string, given: object): void {
      ids.delete(JSON.stringify([name, given]));
    },
  };
}
