import { expect, test } from "vitest";
import { code128 } from "./code128";

test("start B, data, check digit and stop have their widths", () => {
  // "A": start B (104), A (33), check (104 + 33) mod 103 = 34, stop.
  expect(code128("A").join("")).toBe("211214" + "111323" + "131123" + "2331112");
});

test("every symbol is 11 modules wide, the stop 13", () => {
  const width = code128("bannos-18617-A").reduce((sum, bar) => sum + bar, 0);
  expect(width).toBe((14 + 2) * 11 + 13);
});

test("what Code 128 B cannot say is refused", () => {
  expect(() => code128("é")).toThrow(RangeError);
});
