import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { call, enter, launch, open, type Person, wedge } from "./stack";
import { item, movements, openItem, stockOf } from "./stockroom";

let browser: Browser;
let operator: Person;
let supervisor: Person;
let planner: Person;

beforeAll(async () => {
  browser = await launch();
  [operator, supervisor, planner] = (await Promise.all(
    ["operator", "supervisor", "planner"].map((role) => enter(browser, role)),
  )) as [Person, Person, Person];
});
afterAll(() => browser?.close());

test("a count is blind; another person decides about what differs", { timeout: 120_000 }, async () => {
  const [right, wrong] = [await item(planner.page, "DOWEL", 50), await item(planner.page, "GLOVES", 20)];
  const { page } = operator;
  await open(page, "/stock/counts");
  await page.getByRole("button", { name: "Start a count" }).click();
  await page.getByRole("dialog").getByLabel("Place").selectOption("main");
  for (const sku of [right, wrong]) {
    await wedge(page, sku, 5);
    await page.getByRole("button", { name: `Leave out ${sku}` }).waitFor();
  }
  await page.getByRole("button", { name: "Start counting" }).click();
  await page.getByText("0 of 2 counted").waitFor();
  const sheet = page.getByRole("main");
  expect(await sheet.getByText("Expected").count()).toBe(0);
  expect(await sheet.getByText("50", { exact: true }).count()).toBe(0);
  await wedge(page, wrong, 5); // by scan, then with the big keys
  await sheet.getByRole("heading", { name: "Test GLOVES" }).waitFor();
  for (const key of ["1", "2"]) await sheet.getByRole("button", { name: key, exact: true }).click();
  await sheet.getByRole("button", { name: "Next" }).click();
  await sheet.getByRole("heading", { name: "Test DOWEL" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.reload(); // nothing that was counted is lost
  await page.getByText("1 of 2 counted").waitFor();
  await sheet.getByLabel(/How many/).fill("50");
  await page.keyboard.press("Enter");
  const counting = await call<{ hint: string }>(page, "get_item", { p_sku: wrong });
  expect(counting.hint).toBe("count.blind");
  await sheet.getByRole("button", { name: "Submit 2 figures" }).click();
  await sheet.getByText("Another person must look at the differences that wait.").waitFor();
  await sheet.getByRole("listitem").filter({ hasText: right }).getByText("Right").waitFor();

  const other = supervisor.page;
  await open(other, new URL(page.url()).pathname);
  const line = other.getByRole("list", { name: "Figures" }).getByRole("listitem").filter({ hasText: wrong });
  await line.getByText("-8").waitFor();
  expect(await violations(other)).toEqual([]);
  await line.getByRole("button", { name: `Count again: ${wrong}` }).click();
  await sheet.getByText("0 of 1 counted").waitFor(); // live, and blind again
  await sheet.getByLabel(/How many/).fill("13");
  await page.keyboard.press("Enter");
  await sheet.getByRole("button", { name: "Submit 1 figure" }).click();
  await line.getByText("-7").waitFor();
  await line.getByRole("button", { name: `Approve: ${wrong}` }).click();
  await line.getByText("Booked").waitFor();
  await sheet.getByText("Booked").first().waitFor();
  expect((await stockOf(planner.page, wrong)).on_hand).toBe(13);
  await openItem(other, wrong);
  await movements(other)
    .first()
    .getByRole("link", { name: /^Count \d+/ })
    .waitFor();
});
