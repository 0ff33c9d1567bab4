import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isGs1 } from "./gs1";

/** The gatekeeper's own tests read the same codes. */
const codes = JSON.parse(
  readFileSync(new URL("../../../../../tests/fixtures/gs1_codes.json", import.meta.url), "utf8"),
) as { gs1: string[]; ours: string[] };

test.each(codes.gs1)("%j is a GS1 code, with or without what an ordinary wedge drops", (code) => {
  expect(isGs1(code)).toBe(true);
});

test.each(codes.ours)("%j is a code of our own", (code) => {
  expect(isGs1(code)).toBe(false);
});
