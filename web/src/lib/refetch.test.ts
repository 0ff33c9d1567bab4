import "fake-indexeddb/auto";
import { QueryObserver } from "@tanstack/react-query";
import { expect, test } from "vitest";
import { queries } from "./query";
import { refetchAfter } from "./refetch";

test("events never cut off a read that is on its way; what it may have missed is read after it", async () => {
  const reads: { answer: () => void; signal: AbortSignal }[] = [];
  const queryFn = ({ signal }: { signal: AbortSignal }) =>
    new Promise<number>((resolve) => {
      reads.push({ signal, answer: () => resolve(reads.length) });
    });
  const stop = new QueryObserver(queries, { queryKey: ["queue", {}], queryFn }).subscribe(() => undefined);
  for (let n = 0; n < 5; n += 1) {
    refetchAfter([{ stream: "order", stream_id: `t-${n}` }]);
    await new Promise((done) => setTimeout(done, 60));
  }
  expect(reads.map(({ signal }) => signal.aborted)).toEqual([false]);
  reads[0]?.answer();
  await expect.poll(() => reads.length).toBe(2);
  reads[1]?.answer();
  await expect.poll(() => queries.getQueryData(["queue", {}])).toBe(2);
  stop();
  queries.clear();
});
