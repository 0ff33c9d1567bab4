import { i18n } from "@lingui/core";
import { beforeAll, expect, test } from "vitest";
import { farmSearch } from "./search";
import { alarmWords, fileName, reasonWords } from "./words";

beforeAll(() => i18n.loadAndActivate({ locale: "en", messages: {} }));

test("what nobody has words for is still shown", () => {
  expect(reasonWords("a_new_reason")).toBe("a new reason");
  const alarm = { code: "farm.new", message: "The server says it.", details: null };
  expect(alarmWords(alarm, null, 0)).toBe("The server says it.");
  expect(fileName("kiosk.3mf", null)).toBe("kiosk.3mf");
});

test("an address may say anything; what is not known is left out", () => {
  expect(farmSearch({ q: 12, show: "all", run: "7", status: "waiting", code: "" })).toEqual({
    q: "12",
    status: "waiting",
    run: 7,
  });
  expect(farmSearch({ run: -1 }).run).toBeUndefined();
});
