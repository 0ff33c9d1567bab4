import { expect, test } from "vitest";
import { csvLine } from "./csv-line";

test("cells with signs of their own are quoted", () => {
  expect(csvLine(["2611-GN-00001", "O'Brien, Noah", 'the "big" one', ""])).toBe(
    '2611-GN-00001,"O\'Brien, Noah","the ""big"" one",\r\n',
  );
});

test("a formula stays text", () => {
  expect(csvLine(["=1+1", "@SUM(A1)", "-2", "plain"])).toBe("'=1+1,'@SUM(A1),'-2,plain\r\n");
});
