const GAP_MS = 500;

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
