import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { call, enter, launch, open, type Person, wedge } from "./stack";
import { item, movements, openItem, RUN, stockOf } from "./stockroom";

let browser: Browser;
let viewer: Person;
let operator: Person;
let supervisor: Person;
let planner: Person;

beforeAll(async () => {
  browser = await launch();
  [viewer, operator, supervisor, planner] = (await Promise.all(
    ["viewer", "operator", "supervisor", "planner"].map((role) => enter(browser, role)),
  )) as [Person, Person, Person, Person];
});
afterAll(() => browser?.close());

async function move(page: Page, name: string, fields: Record<string, string>): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
  const dialog = page.getByRole("dialog");
  for (const [label, value] of Object.entries(fields)) {
    const field = dialog.getByLabel(label);
    if ((await field.evaluate((one) => one.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  await dialog.getByRole("button", { name, exact: true }).click();
}
const gone = (page: Page) => page.getByRole("dialog").waitFor({ state: "detached" });

test("what was received stands in the ledger, and one tap takes it back", async () => {
  const sku = await item(planner.page, "BOX");
  const { page } = supervisor;
  await openItem(page, sku);
  await move(page, "Receive", { "Quantity (pcs)": "12", "Delivery note or order": "LS-9" });
  await gone(page);
  const first = movements(page).first();
  await first.getByText("+12").waitFor();
  for (const words of ["Received", "Delivery LS-9", "then 12 there", /\(supervisor\)/])
    await first.getByText(words).first().waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("listitem").filter({ hasText: "12 pcs on hand" }).getByRole("button", { name: "Undo" }).click();
  await movements(page).first().getByText("Taken back right away").waitFor();
  await movements(page).nth(1).getByText("Taken back", { exact: true }).waitFor();
  expect((await stockOf(planner.page, sku)).on_hand).toBe(0);
});

test("an adjustment needs a reason", async () => {
  const sku = await item(planner.page, "RIBBON", 40);
  const { page } = supervisor;
  await openItem(page, sku);
  await move(page, "Adjust", { "Quantity (pcs)": "-3" });
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("alert").getByText("Say why.").waitFor();
  expect((await stockOf(planner.page, sku)).on_hand).toBe(40);
  expect(await violations(page)).toEqual([]);
  await dialog.getByLabel("Reason").fill("Torn");
  await dialog.getByRole("button", { name: "Adjust", exact: true }).click();
  await gone(page);
  await movements(page).first().getByText("Torn").waitFor();
  expect((await stockOf(planner.page, sku)).on_hand).toBe(37);
});

test("a transfer moves it, and a second browser sees it at once", async () => {
  const sku = await item(planner.page, "BOARD", 30);
  const { page } = operator;
  await openItem(viewer.page, sku);
  await openItem(page, sku);
  await move(page, "Transfer", { "Quantity (pcs)": "10", To: "coolroom" });
  await gone(page);
  for (const each of [page, viewer.page]) {
    await movements(each).filter({ hasText: "Coolroom" }).first().waitFor();
    await each.getByRole("region", { name: "Where it lies" }).getByText("10 pcs").waitFor();
  }
  expect((await stockOf(planner.page, sku)).locations).toEqual({ main: 20, coolroom: 10 });
});

test("a viewer looks and cannot act", async () => {
  const sku = await item(planner.page, "FLOUR", 5);
  const { page } = viewer;
  await openItem(page, sku);
  for (const name of ["Receive", "Adjust", "Scrap", "Edit", "Transfer"])
    expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  await open(page, "/stock");
  await page.getByRole("region", { name: "Items" }).getByRole("link").first().waitFor();
  for (const name of ["Count", "Import"]) expect(await page.getByRole("link", { name, exact: true }).count()).toBe(0);
  const refused = await call<{ hint: string }>(page, "receive_stock", { p_sku: sku, p_quantity: 1 });
  expect(refused.hint).toBe("auth.forbidden");
});

test("the list is searched and filtered by the address; a scan opens the item", async () => {
  const sku = await item(planner.page, "CANDLE", 3, { p_min_stock: 5, p_kind: "accessory" });
  const { page } = operator;
  await open(page, "/stock/items?only=out");
  const list = page.getByRole("region", { name: "Items" });
  await list.getByRole("link", { name: /Cake topper, unicorn/ }).waitFor();
  expect(await list.getByRole("link", { name: new RegExp(sku) }).count()).toBe(0);
  await list.getByLabel("Stock").selectOption("low");
  await list.getByLabel("Search items").fill(sku.toLowerCase());
  const row = list.getByRole("link", { name: new RegExp(sku) });
  await row.getByText("Low", { exact: true }).waitFor();
  await expect.poll(() => new URL(page.url()).searchParams.get("q")).toBe(sku.toLowerCase());
  await page.reload();
  await row.waitFor();
  const other = await item(planner.page, "TOPPER", 8);
  await wedge(page, other, 5);
  await page.getByRole("heading", { name: "Test TOPPER" }).waitFor();
  expect(await page.getByRole("complementary", { name: "Scan console" }).count()).toBe(0);
  await wedge(page, "no-such-code", 5);
  await page.getByText("There is no order for no-such-code.").first().waitFor();
  await page.getByRole("button", { name: "Close the scan console" }).click();
});

const file = (name: string, text: string) => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });

test("an import shows every error, then does all rows, then is taken back", async () => {
  const sku = await item(planner.page, "LABEL", 100);
  const fresh = `T-${RUN}-NEW`;
  const { page } = planner;
  await open(page, "/stock/import");
  const input = page.getByLabel("Choose a CSV file or a workbook, or drop it here");
  await input.setInputFiles(file("bad.csv", `sku;on_hand;location\n${sku};many;main\nnope;5;main\n;1;attic\n`));
  const wrong = page.getByRole("list", { name: "What is wrong" });
  await wrong.getByText("Line 2").waitFor();
  for (const words of ["many is not a number like 12.5.", "There is no item nope.", "The SKU is missing."])
    await wrong.getByText(words).waitFor();
  expect(await page.getByRole("button", { name: /^Import \d+ row/ }).count()).toBe(0);
  expect(await violations(page)).toEqual([]);
  await input.setInputFiles(file("broken.xlsx", "PK"));
  await page
    .getByRole("alert")
    .getByText(/broken.xlsx cannot be read/)
    .waitFor();
  const book = join(import.meta.dirname, "book.xlsx");
  await input.setInputFiles(book);
  await page.getByRole("list", { name: "What is wrong" }).getByText("There is no item E2E-BOOK.").waitFor();

  await input.setInputFiles(file("items.csv", `sku,title,kind,is_listed\n${fresh},"New, and quoted",hardware,no\n`));
  await page.getByText("Every row is fine.").waitFor();
  await page.getByRole("button", { name: "Import 1 row" }).click();
  await page.getByText(/^Import \d+ is done\.$/).waitFor();
  await input.setInputFiles(file("good.csv", `sku,on_hand,location\n${sku},88,main\n${fresh},7,main\n`));
  await page.getByText("Every row is fine.").waitFor();
  await page.getByRole("button", { name: "Import 2 rows" }).click();
  await expect.poll(async () => (await stockOf(planner.page, sku)).on_hand).toBe(88);
  expect((await stockOf(planner.page, fresh)).on_hand).toBe(7);
  const done = page.getByRole("list", { name: "Imports before" }).getByRole("listitem").first();
  await done.getByText("2 rows").waitFor();
  await done.getByRole("button", { name: /^Undo import/ }).click();
  await done.getByText("Taken back").waitFor();
  expect((await stockOf(planner.page, sku)).on_hand).toBe(100);
});

test("an item is made, changed and given its components", async () => {
  const part = await item(planner.page, "SCREW", 100);
  const sku = `T-${RUN}-KIT`;
  const { page } = planner;
  await open(page, "/stock");
  await page.getByRole("button", { name: "New item" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("SKU").fill(sku);
  await dialog.getByLabel("Name", { exact: true }).fill("Test KIT");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Test KIT" }).waitFor();
  await page.getByRole("button", { name: "Edit what it is made of" }).click();
  await dialog.getByRole("button", { name: "Add a component" }).click();
  await dialog.getByLabel("Component (SKU)").fill(part);
  await dialog.getByLabel("Quantity").fill("4");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("region", { name: "Made of" }).getByText("Test SCREW").waitFor();
  await move(page, "Make", { "Quantity (pcs)": "5" });
  await gone(page);
  await movements(page).first().getByText("Made").waitFor();
  expect((await stockOf(planner.page, part)).on_hand).toBe(80);
  expect((await stockOf(planner.page, sku)).on_hand).toBe(5);
});

test("places and order rules are kept by those who may, and a second browser hears of it", async () => {
  const sku = await item(planner.page, "GOLD", 5);
  const { page } = planner;
  await open(viewer.page, "/stock/places");
  expect(await viewer.page.getByRole("button", { name: "New place" }).count()).toBe(0);
  await open(page, "/stock/places");
  await page.getByRole("button", { name: "New place" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Code").fill(`shelf-${RUN}`);
  await dialog.getByLabel("Name", { exact: true }).fill(`Shelf ${RUN}`);
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  const there = viewer.page.getByRole("listitem").filter({ hasText: `Shelf ${RUN}` });
  await there.waitFor();
  await page.getByRole("button", { name: `Edit Shelf ${RUN}` }).click();
  await dialog.getByLabel("In use").uncheck();
  await dialog.getByRole("button", { name: "Save" }).click();
  await there.getByText("Out of use").waitFor();

  await open(page, "/stock/rules");
  await page.getByRole("button", { name: "New rule" }).click();
  await dialog.getByLabel("Words in the order").fill(`Gold ${RUN}`);
  await dialog.getByLabel("Takes (SKU)").fill(sku);
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  const rule = page.getByRole("listitem", { name: `Gold ${RUN}` });
  await rule.getByText("Test GOLD").waitFor();
  await rule.getByRole("button", { name: `Edit Gold ${RUN}` }).click();
  await dialog.getByLabel("In use").uncheck();
  await dialog.getByRole("button", { name: "Save" }).click();
  await rule.getByText("Switched off").waitFor();
  await rule.getByRole("button", { name: `Remove Gold ${RUN}` }).click();
  await rule.waitFor({ state: "detached" });
});

test("alarms say what is the matter and what to do; nothing complained", async () => {
  const sku = await item(planner.page, "SALT", 2, { p_min_stock: 9 });
  const { page } = operator;
  await open(page, "/stock/alarms");
  const alarm = page.getByRole("list", { name: "Alarms" }).getByRole("listitem").filter({ hasText: sku });
  await alarm.getByText("Test SALT is low: 2 of 9.").waitFor();
  await call(planner.page, "receive_stock", { p_sku: sku, p_quantity: 50, p_location: "main" });
  await alarm.waitFor({ state: "detached" }); // live
  const all = [viewer, operator, supervisor, planner].flatMap((person) => person.complaints);
  expect(all).toEqual([]);
});
