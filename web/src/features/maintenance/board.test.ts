import { expect, test } from "vitest";
import { byUrgency } from "./board";
import { monthAway, weeksOf } from "./plan-calendar";
import type { RepairRow } from "./types";

const repair = (id: number, is_failure: boolean, priority: string, status_since: string) =>
  ({ repair: { id, is_failure, priority, status_since } }) as RepairRow;

test("what keeps a machine down comes first, then what is urgent, then what waits longest", () => {
  const rows = [
    repair(1, false, "normal", "2026-11-21T08:00:00Z"),
    repair(2, false, "high", "2026-11-21T09:00:00Z"),
    repair(3, true, "low", "2026-11-21T10:00:00Z"),
    repair(4, false, "normal", "2026-11-21T07:00:00Z"),
  ];
  expect(rows.sort(byUrgency).map((one) => one.repair.id)).toEqual([3, 2, 4, 1]);
});

test("a month is shown in whole weeks from Monday", () => {
  const weeks = weeksOf("2026-11");
  expect(weeks[0]?.[0]).toBe("2026-10-26");
  expect(weeks.at(-1)?.at(-1)).toBe("2026-12-06");
  expect(weeks.every((week) => week.length === 7)).toBe(true);
  expect(weeksOf("2027-02").length).toBe(4); // begins on a Monday, 28 days
});

test("months go over the end of the year", () => {
  expect(monthAway("2026-12", 1)).toBe("2027-01");
  expect(monthAway("2026-01", -1)).toBe("2025-12");
});
