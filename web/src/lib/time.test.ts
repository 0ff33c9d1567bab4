import { expect, test } from "vitest";
import { daysBetween, plantDay } from "./time";

test("the plant's day is not the day of UTC", () => {
  const evening = new Date("2026-11-21T14:30:00Z");
  expect([plantDay("Australia/Sydney", evening), plantDay("UTC", evening)]).toEqual(["2026-11-22", "2026-11-21"]);
});

test("days are counted through daylight saving", () => {
  expect(daysBetween("2026-10-03", "2026-10-05")).toBe(2); // Sydney's clocks go forward between them
  expect(daysBetween("2026-11-21", "2026-11-20")).toBe(-1);
});
