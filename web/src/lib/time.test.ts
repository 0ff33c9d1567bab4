import { i18n } from "@lingui/core";
import { expect, test } from "vitest";
import { daysBetween, formatSpan, instantOf, instantOfWall, plantDay } from "./time";

test("the plant's day is not the day of UTC", () => {
  const evening = new Date("2026-11-21T14:30:00Z");
  expect([plantDay("Australia/Sydney", evening), plantDay("UTC", evening)]).toEqual(["2026-11-22", "2026-11-21"]);
});

test("days are counted through daylight saving", () => {
  expect(daysBetween("2026-10-03", "2026-10-05")).toBe(2); // Sydney's clocks go forward between them
  expect(daysBetween("2026-11-21", "2026-11-20")).toBe(-1);
});

test("a day of the plant begins and ends at its own midnight, also when the clocks change", () => {
  expect(instantOf("2026-11-21", false, "Australia/Sydney")).toBe("2026-11-20T13:00:00.000Z");
  expect(instantOf("2026-11-21", true, "Australia/Sydney")).toBe("2026-11-21T13:00:00.000Z");
  expect(instantOf("2026-10-04", false, "Australia/Sydney")).toBe("2026-10-03T14:00:00.000Z"); // then it is +10, at its end +11
  expect(instantOf("2026-10-04", true, "Australia/Sydney")).toBe("2026-10-04T13:00:00.000Z");
  expect(instantOf("2026-11-21", false, "UTC")).toBe("2026-11-21T00:00:00.000Z");
});

test("what a clock of the plant shows is an instant", () => {
  expect(instantOfWall("2026-11-21T18:30", "Australia/Sydney")).toBe("2026-11-21T07:30:00.000Z");
  expect(instantOfWall("2026-10-04T03:30", "Australia/Sydney")).toBe("2026-10-03T16:30:00.000Z"); // an hour after the clocks changed
});

test("a span says as much as one needs: seconds, minutes, hours with minutes, days with hours", () => {
  i18n.loadAndActivate({ locale: "en", messages: {} });
  expect([42, 725, 3900, 200_000, -3].map(formatSpan)).toEqual(["42 s", "12 min", "1 h 05 min", "2 days 7 h", "0 s"]);
});
