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

test("nothing complains, and nobody else is asked", () => {
  for (const { complaints } of [operator, planner]) expect(complaints).toEqual([]);
});
