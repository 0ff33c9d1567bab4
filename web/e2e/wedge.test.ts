import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enter, launch, open, type Person, wedge } from "./stack";

let browser: Browser;
let operator: Person;

beforeAll(async () => {
  browser = await launch();
  operator = await enter(browser, "operator");
});
afterAll(() => browser?.close());

const codes = (page: Page) =>
  page
    .locator("[data-testid=codes] li")
    .evaluateAll((list) => list.map((item) => item.getAttribute("data-code") ?? "").reverse());

async function checkPage(): Promise<Page> {
  const { page } = operator;
  await open(page, "/scan/check");
  await page.getByLabel("Type here").fill("a note");
  await page.getByLabel("Type here").focus();
  return page;
}

test("1,000 codes at full speed into a focused field: none lost, none changed, the field untouched", async () => {
  const page = await checkPage();
  const sent = Array.from({ length: 1000 }, (_, n) => `#B${10_000 + n}${["", "-A", " x+y", '"8'][n % 4]}`);
  for (const code of sent) await wedge(page, code);
  await page.getByText("Codes: 1000").waitFor();
  expect(await codes(page)).toEqual(sent);
  expect(await page.getByLabel("Type here").inputValue()).toBe("a note");
}, 180_000);

test.for([5, 20, 45])("200 codes at %d ms per key arrive exactly", { timeout: 120_000 }, async (gap) => {
  const page = await checkPage();
  const sent = Array.from({ length: 200 }, (_, n) => `#F${20_000 + n}+${n}`);
  for (const code of sent) await wedge(page, code, gap);
  await page.getByText("Codes: 200").waitFor();
  expect(await codes(page)).toEqual(sent);
  expect(await page.getByLabel("Type here").inputValue()).toBe("a note");
});

test("a person who types stays a person", async () => {
  const page = await checkPage();
  await page.keyboard.type(" and more", { delay: 90 });
  await page.keyboard.press("Enter");
  expect(await page.getByLabel("Type here").inputValue()).toBe("a note and more");
  expect(await codes(page)).toEqual([]);
});

test("a scan over a focused button presses nothing", async () => {
  const page = await checkPage();
  await wedge(page, "#B1 2 3");
  await page.getByRole("button", { name: "Clear" }).focus();
  await wedge(page, "#B4 5 6");
  await page.getByText("Codes: 2").waitFor();
  expect(await codes(page)).toEqual(["#B1 2 3", "#B4 5 6"]);
});

test("the test sheet ticks what was read character for character", async () => {
  const page = await checkPage();
  const samples = page.locator("[data-sample]");
  const printed = await samples.evaluateAll((list) => list.map((one) => one.getAttribute("data-sample") ?? ""));
  const [first = "", second = "", ...others] = printed;
  await wedge(page, first, 5);
  await wedge(page, second.toLowerCase(), 5); // a scanner that swaps the case
  for (const code of others) await wedge(page, code, 5);
  await page.getByText(`${printed.length - 1} of ${printed.length} read exactly`).waitFor();
  expect(await samples.nth(0).getByRole("img", { name: "Read exactly" }).count()).toBe(1);
  expect(await samples.nth(1).getByRole("img", { name: "Read exactly" }).count()).toBe(0);
  const paper = await page.pdf({ format: "A4" });
  expect(paper.toString("latin1").match(/\/Type \/Page\b/g)?.length).toBe(1); // it fits on one sheet
});

test("a scan while a list has the focus chooses nothing in it", async () => {
  const { page } = operator;
  await open(page, "/board");
  const store = page.getByLabel("Store");
  await store.focus();
  await wedge(page, "F-no-such-code", 5);
  await page.getByText("There is no order for F-no-such-code.").waitFor();
  expect(await store.inputValue()).toBe("");
});

test("one key alone is a shortcut, outside of fields only", async () => {
  const { page } = operator;
  await open(page, "/board");
  await page.getByRole("heading", { name: "Board" }).click();
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement?.id === "search-box");
  await page.keyboard.type("q");
  expect(new URL(page.url()).pathname).toBe("/board");
  await page.getByRole("heading", { name: "Board" }).click();
  await page.keyboard.press("q");
  await page.waitForURL("**/queue");
});
