import { i18n } from "@lingui/core";
import { expect, test } from "vitest";
import { productionSearch } from "./search";
import type { ApprovalEntry } from "./types";
import { approvalEffect, approvalSubject, needsConcession, noticeText } from "./words";

i18n.loadAndActivate({ locale: "en", messages: {} });

const entry = (approval: object, more: object = {}) =>
  ({
    approval: { site: "main", ...approval },
    code: null,
    work_centre_title: null,
    ...more,
  }) as unknown as ApprovalEntry;

test("what is asked names the place, the order, and what happens then", () => {
  const press = entry({ type: "DISABLE_EQUIPMENT", work_centre: "press-1" }, { work_centre_title: "Press" });
  expect([approvalSubject(press), approvalEffect(press)]).toEqual([
    "Take Press out of use",
    "Nothing is started or counted at Press from then on.",
  ]);
  const again = entry({ type: "SPECIAL_OPERATION", operation: "replenishment", quantity: 6 }, { code: "P-9" });
  expect(approvalSubject(again)).toBe("Make 6 again for P-9, beyond the limit");
  expect(approvalSubject(entry({ type: "OVERTIME" }))).toBe("Overtime: the whole site");
});

test("who may not concede is not offered what is a concession", () => {
  expect(["scrap", "rework", "hold", "repair", "use_as_is", "return"].filter(needsConcession)).toEqual([
    "repair",
    "use_as_is",
    "return",
  ]);
});

test("what came of a command besides is said in one line, or not at all", () => {
  expect(noticeText([])).toBeNull();
  expect(
    noticeText([
      { code: "a", message: "One." },
      { code: "b", message: "Two." },
    ]),
  ).toBe("One. Two.");
});

test("an address says what is known, and nothing else", () => {
  expect(
    productionSearch({ step: "20", from: "2026-11-21", to: "soon", type: "OVERTIME", show: "x", evil: 1 }),
  ).toMatchObject({ step: 20, from: "2026-11-21", to: undefined, type: "OVERTIME", show: undefined });
});
