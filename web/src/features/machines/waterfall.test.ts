import { expect, test } from "vitest";
import { endsOf } from "./calendar-queries";
import { deeper } from "./drill";
import type { Inputs, LossRow, OeeRow, Ratios } from "./types";
import { columnsFor } from "./wall";
import { waterfall } from "./waterfall";

const loss = (fields: Partial<LossRow>): LossRow => ({
  kind: "stop",
  time_class: "breakdown",
  reason: null,
  title: null,
  policy: "loss_availability",
  big_loss: null,
  seconds: 0,
  share: null,
  cumulative: null,
  stops: 1,
  ...fields,
});
const inputs = { planned_s: 1000, run_s: 800, ideal_s: 700, ideal_good_s: 650 } as Inputs;
const losses = [
  ...[60, 50, 40, 20, 15, 10, 5].map((seconds, n) => loss({ reason: `r${n}`, seconds })),
  loss({ kind: "micro", time_class: "minor_stop", policy: "loss_performance", seconds: 30 }),
  loss({ kind: "pending", time_class: "minor_stop", policy: "none", seconds: 20 }),
  loss({ kind: "speed", time_class: null, policy: "loss_performance", seconds: 50 }),
  loss({ kind: "quality", time_class: null, policy: "loss_quality", seconds: 50 }),
  loss({ kind: "planned", time_class: "break", policy: "excluded", seconds: 999 }),
];

/** Each total again, from the one before it and the losses between them. */
function adds(steps: ReturnType<typeof waterfall>): boolean {
  let left = steps[0]?.seconds ?? 0;
  return steps.slice(1).every((step) => {
    if (step.kind === "total") return Math.abs(left - step.seconds) < 1e-9;
    left -= step.seconds;
    return true;
  });
}

test("every step down ends where the next total stands; excluded time is in none", () => {
  const steps = waterfall(inputs, { performance: 0.875 } as Ratios, losses);
  expect(adds(steps)).toBe(true);
  expect(steps.map((one) => one.key)).toContain("other-availability");
  expect(steps.filter((one) => one.kind === "total").map((one) => one.seconds)).toEqual([1000, 800, 700, 650]);
});

test("a machine faster than its ideal cycle has a step up, and still adds up", () => {
  const fast = [
    loss({ seconds: 200 }),
    loss({ kind: "speed", time_class: null, policy: "loss_performance", seconds: -100 }),
  ];
  const sums = { ...inputs, ideal_s: 900, ideal_good_s: 900 };
  expect(adds(waterfall(sums, { performance: 1.125 } as Ratios, fast))).toBe(true);
});

test("without an ideal cycle nothing is said about speed", () => {
  const steps = waterfall(inputs, { performance: null } as Ratios, losses);
  expect(steps.at(-1)?.key).toBe("run");
});

test("one goes from a line to its machines, to a machine's days, to a day's shifts, and from a shift, an hour or a product to its facts", () => {
  const [starts_at, ends_at] = ["2026-11-20T20:00:00Z", "2026-11-21T04:00:00Z"];
  const row = (key: string) => ({ key, starts_at, ends_at }) as OeeRow;
  expect(deeper("line", row("panels"))).toEqual({ line: "panels", by: "machine" });
  expect(deeper("machine", row("cnc-1"))).toEqual({ machine: "cnc-1", by: "day" });
  const day = { from: "2026-11-21", to: "2026-11-21", by: "shift", since: undefined, until: undefined };
  expect(deeper("day", row("2026-11-21"))).toEqual(day);
  expect(deeper("line", row("-"))).toBeNull();
  for (const by of ["shift", "hour"])
    expect(deeper(by, row("x"))).toEqual({ facts: "all", item: undefined, since: starts_at, until: ends_at });
  expect(deeper("item", row("-"))).toEqual({ facts: "count", item: "-", since: undefined, until: undefined });
});

test("a wall has as many columns as make tiles wider than high", () => {
  for (const count of [1, 2, 8, 24, 50]) {
    const columns = columnsFor(count, 1920, 1080);
    const rows = Math.ceil(count / columns);
    expect(columns * rows).toBeGreaterThanOrEqual(count);
    if (count > 3) expect(1920 / columns).toBeGreaterThan(1080 / rows);
  }
});

test("a range of Postgres is read to the instant, with open ends too", () => {
  expect(endsOf('["2027-02-28 23:00:00+00","2027-03-01 05:45:00+05:45")')).toEqual([
    "2027-02-28T23:00:00.000Z",
    "2027-03-01T00:00:00.000Z",
  ]);
  expect(endsOf('["2026-11-21 06:00:00.5+00",)')).toEqual(["2026-11-21T06:00:00.500Z", null]);
});
