import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { ask, begin, end, operator, PANEL, planner, produce, read, SAW, TABLE } from "./routed";
import { open } from "./stack";

/** What the person is told after a command. */
const says = (page: Page, words: string | RegExp) => page.getByText(words).first().waitFor();

beforeAll(begin, 120_000);
afterAll(end);

/** Counted at the saw by somebody else. */
const sawn = (p_code: string, p_good: number, more: object = {}) =>
  ask(operator, "report_production", { p_code, p_work_centre: SAW, p_good, ...more });

test("an order is released and made urgent on the board, and its counts appear as they are made", async () => {
  const made = await ask<{ order_row: { code: string } }>(planner, "create_production_order", {
    p_product_sku: TABLE,
    p_quantity: 4,
    p_site: "main",
  });
  const { code } = made.order_row;
  const { page } = planner;
  await open(page, "/production");
  await page.getByRole("searchbox", { name: "Search" }).fill(code);
  const order = page.getByRole("article", { name: code });
  await order.getByRole("button", { name: `Release ${code}` }).click();
  await says(page, `${code} is released.`);
  expect(new URL(page.url()).searchParams.get("q")).toBe(code);
  await order.getByText("Can run now").waitFor();
  await order.getByRole("combobox", { name: `Priority of ${code}` }).selectOption("rush");
  await says(page, new RegExp(`${code}: `));
  expect(await violations(page)).toEqual([]);

  const steps = order.getByRole("list", { name: "Steps" }).getByRole("listitem");
  await steps.first().getByText("0/4").waitFor();
  await sawn(code, 2);
  await steps.first().getByText("2/4").waitFor({ timeout: 20_000 });
}, 120_000);

test("an order shows its steps, what it makes again both ways, and is ended and opened again", async () => {
  const code = await produce(3);
  const { page } = planner;
  await open(page, `/production/orders/${code}`);
  const first = page.getByRole("list", { name: "Steps" }).getByRole("listitem").first();
  await first.getByText("0 of 3").waitFor();
  await sawn(code, 1, { p_scrap: 1, p_reason: "BROKEN" });
  await first.getByText("1 of 3").waitFor({ timeout: 20_000 });
  const again = page.getByRole("list", { name: "Made again" });
  await again.getByRole("link", { name: `${code}-R1`, exact: true }).click();
  await page.getByRole("heading", { name: `${code}-R1` }).waitFor();
  await again.getByRole("link", { name: code, exact: true }).click();
  await page.getByRole("heading", { name: code, exact: true }).waitFor();
  expect(await violations(page)).toEqual([]);

  await page.getByRole("button", { name: "End it early" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Reason" }).fill("The customer wants no more");
  await dialog.getByRole("button", { name: "End it early" }).click();
  await says(page, `${code} is closed.`);
  await page.getByText("Ended early: The customer wants no more").waitFor();
  expect((await read(code)).order_row.status).toBe("CLOSED");
  await page.getByRole("button", { name: "Open it again" }).click();
  await dialog.getByRole("textbox", { name: "Reason" }).fill("They do after all");
  await dialog.getByRole("button", { name: "Open it again" }).click();
  await says(page, `${code} is open again.`);
  await page.getByRole("button", { name: "End it early" }).waitFor();
}, 120_000);

test("a lot shows what it went into, is held with it and released; split, and put back", async () => {
  const code = await produce(2);
  const lot = `L-${code}`;
  await ask(operator, "receive_lot", { p_sku: PANEL, p_code: lot, p_quantity: 20 });
  const { page } = planner;
  await open(page, `/production/lots/${lot}`);
  await page.getByText("Nothing is known to be in it, and it is in nothing yet.").waitFor();
  await ask(operator, "consume_lot", { p_code: lot, p_quantity: 2, p_order: code });
  const graph = page.getByRole("region", { name: "Genealogy" });
  const made = graph.getByRole("link").filter({ has: page.getByText(code, { exact: true }) });
  await made.waitFor({ timeout: 20_000 }); // live
  await page.getByText("It adds up").waitFor();
  expect(await violations(page)).toEqual([]);

  await page.getByRole("button", { name: "Hold", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Reason" }).fill("The boards are wet");
  await dialog.getByRole("checkbox", { name: /Hold what it went into, too/ }).check();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Hold" }).click();
  await says(page, `Lot ${lot} is on hold.`);
  await made.getByText("On hold").waitFor();
  await made.click();
  await page.getByRole("heading", { name: code, exact: true }).waitFor();
  await page.getByText("On hold: The boards are wet").waitFor();
  await graph
    .getByRole("link")
    .filter({ has: page.getByText(lot, { exact: true }) })
    .click();

  await page.getByRole("button", { name: "Release", exact: true }).click();
  await dialog.getByRole("textbox", { name: "Reason" }).fill("They are dry");
  await dialog.getByRole("checkbox", { name: /Release what it went into, too/ }).check();
  await dialog.getByRole("button", { name: "Release" }).click();
  await says(page, `Lot ${lot} may be used again.`);
  await made.getByText("On hold").waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Split", exact: true }).click();
  await dialog.getByLabel(/How much of/).fill("5");
  await dialog.getByRole("button", { name: "Split" }).click();
  await says(page, `5 of lot ${lot} are lot ${lot}-1 now.`);
  await graph.getByRole("link", { name: new RegExp(`${lot}-1`) }).waitFor();
  await page.getByRole("button", { name: "Undo" }).first().click();
  await says(page, "Taken back.");
  await graph.getByRole("link", { name: new RegExp(`${lot}-1`) }).waitFor({ state: "detached" });
}, 120_000);

test("the label of an order is asked for once, comes out, and its page has the ways to make another", async () => {
  const code = await produce(1);
  const { page } = planner;
  await open(page, `/production/orders/${code}`);
  await page.getByRole("button", { name: `Print the label of ${code}` }).click();
  await says(page, `The label of ${code} goes to`);
  const label = page.getByRole("link", { name: /^Label: / });
  await label.and(page.getByText("Label: Printed")).waitFor({ timeout: 60_000 }); // live
  expect(await page.getByRole("button", { name: `Print the label of ${code}` }).count()).toBe(0);
  await label.click();
  await page.waitForURL(/\/printing\/jobs\/\d+$/);
  await page.getByRole("button", { name: "Print it again" }).waitFor();
}, 120_000);

test("a routing is shown as a flow, gets a new version, and an older one is put in force and taken back", async () => {
  const { page } = planner;
  await open(page, "/production/routings");
  await page.getByRole("searchbox", { name: "Search" }).fill(TABLE);
  const routing = page.getByRole("region", { name: TABLE });
  await routing.getByText("Version 1, in force").waitFor();
  await page.waitForURL((url) => url.searchParams.get("q") === TABLE);
  const steps = routing.getByRole("list", { name: "Steps" }).getByRole("listitem");
  await steps.first().getByText("1 min for each piece").waitFor();
  expect(await violations(page)).toEqual([]);

  await routing.getByRole("button", { name: `New version for ${TABLE}` }).click();
  const dialog = page.getByRole("dialog");
  const first = dialog.getByRole("group", { name: /^1\. Cutting/ });
  await first.getByLabel("Each piece (minutes)").fill("2.5");
  await first.getByLabel("Setting up (minutes)").fill("10");
  await first.getByLabel("Work centre").selectOption(SAW);
  await dialog.getByRole("button", { name: "Step 3: earlier" }).click();
  await dialog.getByRole("group", { name: /^2\. Packing/ }).waitFor();
  await dialog.getByRole("button", { name: "Step 2: later" }).click();
  await dialog.getByLabel("What is new").fill("A slower blade");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Keep" }).click();
  await says(page, `${TABLE}: version 2 is in force.`);
  await routing.getByText("A slower blade").waitFor();
  await steps.first().getByText("2.5 min for each piece").waitFor();
  await steps.first().getByText(SAW).waitFor();

  await routing.getByRole("combobox", { name: `Version of ${TABLE}` }).selectOption("1");
  await routing.getByRole("button", { name: `Follow it from now on: version 1 of ${TABLE}` }).click();
  await says(page, `${TABLE}: version 1 is in force.`);
  await steps.first().getByText("1 min for each piece").waitFor();
  await page.getByRole("button", { name: "Undo" }).first().click();
  await routing.getByText("A slower blade").waitFor();

  await page.getByRole("button", { name: "New routing" }).click();
  await dialog.getByLabel("What is made (SKU)").fill(`NO-${TABLE}`);
  await dialog.getByLabel("Kind of work").selectOption({ index: 1 });
  await dialog.getByRole("button", { name: "Keep" }).click();
  await dialog.getByRole("alert").getByText(/NO-/).waitFor();
}, 120_000);

test("orders of another system: columns are named, tried, imported, and the refused rows handed back", async () => {
  const { page } = planner;
  const stem = `E-${TABLE}`;
  const cells = [
    ["Order No", "Artikel", "Menge", "Colour"],
    [`${stem}-1`, TABLE, "3", "oak"],
    [`${stem}-2`, TABLE, "none", "oak"],
    [`${stem}-3`, TABLE, "5", "=ash"],
  ];
  const text = cells.map((row) => row.join("\t")).join("\n");
  await open(page, "/production/import");
  expect(await violations(page)).toEqual([]);
  const paste = async () => {
    await page.getByLabel(/^Cells with the names/).fill(text);
    await page.getByRole("button", { name: "Read them" }).click();
  };
  await paste();
  const columns = page.getByRole("group", { name: "What the columns mean" });
  expect(await columns.getByLabel("Order No").inputValue()).toBe("external_id");
  expect(await columns.getByLabel("Colour").inputValue()).toBe("");
  await columns.getByLabel("Order No").selectOption("");
  await page.getByText(/without it no order is known again/).waitFor();
  expect(await page.getByRole("button", { name: "See what would happen" }).isDisabled()).toBe(true);
  await columns.getByLabel("Order No").selectOption("external_id");
  await columns.getByLabel("Colour").selectOption("notes");
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByText("3 rows were tried. Nothing is changed yet.").waitFor();
  await page
    .getByRole("list", { name: "Rows" })
    .getByText(/quantity: none is not a number/)
    .waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Import 2 rows" }).click();
  await page.getByText("Done: 3 rows.").waitFor();
  await page.getByRole("button", { name: "New: 2" }).waitFor();
  expect((await read(`${stem}-1`)).order_row.status).toBe("OPEN_NOT_STARTED");
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save the 1 refused row" }).click(),
  ]);
  const saved = readFileSync(await file.path(), "utf8");
  expect(saved.split("\r\n").slice(0, 2).join("\n")).toMatch(
    /^\ufeffOrder No,Artikel,Menge,Colour,Why\nE-.+-2,.+,none,oak,.*quantity: none is not/,
  );

  await page.getByRole("button", { name: "Another file" }).click();
  await paste();
  await columns.getByLabel("Colour").selectOption("notes");
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByRole("button", { name: "As it was: 2" }).waitFor();
}, 120_000);

test("a long file goes in batches; where the network ends, it goes on from there", async () => {
  const { page } = planner;
  const rows = Array.from({ length: 1100 }, (_, n) => `M-${TABLE}-${n},${TABLE},2`);
  const buffer = Buffer.from(["external_id,product_sku,quantity", ...rows].join("\n"));
  await open(page, "/production/import");
  await page.getByLabel(/^Choose a CSV file/).setInputFiles({ name: "erp.csv", mimeType: "text/csv", buffer });
  const address = "**/rest/v1/rpc/import_production_orders";
  let sent = 0;
  await page.route(address, (route) => {
    sent += 1;
    return sent === 2 ? route.abort("connectionreset") : route.continue();
  });
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByText("500 of 1,100 rows").waitFor();
  await page.getByRole("button", { name: "Go on from here" }).click();
  await page.getByText("1,100 rows were tried. Nothing is changed yet.").waitFor();
  await page.getByRole("button", { name: "New: 1,100" }).waitFor();
  expect(sent).toBe(4);
  await page.unroute(address);
}, 120_000);

test("nothing complains, and nobody else is asked", () => {
  for (const { complaints } of [operator, planner]) expect(complaints).toEqual([]);
});
