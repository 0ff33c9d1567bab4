import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { untilDead } from "./queue";
import { later, post, type ShopifyOrder, shopifyOrder } from "./shop";
import { shoot } from "./shots";
import { call, enter, launch, open, type Person } from "./stack";

let browser: Browser;
let operator: Person;
let supervisor: Person;
let manager: Person;

beforeAll(async () => {
  browser = await launch();
  [operator, supervisor, manager] = await Promise.all([
    enter(browser, "operator"),
    enter(browser, "supervisor"),
    enter(browser, "manager"),
  ]);
});
afterAll(() => browser?.close());

const cardOf = (page: Page, id: string): Locator => page.getByRole("article", { name: id, exact: true });

/** The same order with another text on its first cake. */
function rewritten(order: ShopifyOrder, words: string): ShopifyOrder {
  const [first, ...others] = order.line_items;
  if (!first) throw new Error("no line");
  const properties = first.properties.map((one) => (one.name === "Writing on cake" ? { ...one, value: words } : one));
  return { ...order, ...later(), line_items: [{ ...first, properties }, ...others] };
}

/** Opens the board of one order and leaves a mark on the page that a reload would wipe. */
async function watch(page: Page, number: number): Promise<void> {
  await open(page, `/board?store=bannos&q=${number}`);
  await page.evaluate(() => {
    document.documentElement.dataset.mark = "opened once";
  });
}
const unreloaded = (page: Page) => page.evaluate(() => document.documentElement.dataset.mark);

/** An order of the shop whose first ticket has been started. */
async function startedOrder(): Promise<{ order: ShopifyOrder; id: string; number: number }> {
  const order = shopifyOrder();
  const id = `bannos-${order.order_number}-A`;
  await watch(supervisor.page, order.order_number);
  await post("orders/create", order);
  await cardOf(supervisor.page, id).waitFor();
  await call(operator.page, "handle_print_barcode", { p_order_id: id });
  await cardOf(supervisor.page, id).getByText("In work").waitFor();
  return { order, id, number: order.order_number };
}

test("an order of the shop appears on an open board", async () => {
  const order = shopifyOrder();
  const { page } = supervisor;
  await watch(page, order.order_number);
  await page.getByRole("region", { name: "Filling" }).getByText("Nothing here.").waitFor();
  await post("orders/create", order);
  for (const suffix of ["A", "B", "C"]) await cardOf(page, `bannos-${order.order_number}-${suffix}`).waitFor();
  await cardOf(page, `bannos-${order.order_number}-A`).getByText("Happy 40th Zoë 🎂").waitFor();
  expect(await unreloaded(page)).toBe("opened once");
});

test("a change before work began is simply there", async () => {
  const order = shopifyOrder();
  const id = `bannos-${order.order_number}-A`;
  const { page } = supervisor;
  await watch(page, order.order_number);
  await post("orders/create", order);
  await cardOf(page, id).waitFor();
  await post("orders/updated", rewritten(order, "Happy 41st"));
  await cardOf(page, id).getByText("Happy 41st").waitFor();
  expect(await cardOf(page, id).getByText("Order changed").count()).toBe(0);
});

test("a change after work began asks the floor: badge, what changed, acknowledged by an operator", async () => {
  const { order, id } = await startedOrder();
  const card = cardOf(supervisor.page, id);
  await post("orders/updated", rewritten(order, "Sorry, Zoé 🎂"));
  await card.getByText("Order changed").waitFor();
  await card.getByText("Happy 40th Zoë 🎂").waitFor(); // the ticket keeps what was begun

  const { page } = operator;
  await open(page, `/orders/${id}`);
  const change = page.getByRole("region", { name: "The order was changed after work began" });
  await change.getByText("Writing on the cake").waitFor();
  await change.locator("s", { hasText: "Happy 40th Zoë 🎂" }).waitFor();
  await change.locator("b", { hasText: "Sorry, Zoé 🎂" }).waitFor();
  await page.getByText("The customer changed the order after work began.").waitFor(); // why it is not going out
  await shoot(page, "order-changed");
  expect(await violations(page)).toEqual([]);

  await change.getByRole("button", { name: "I have read it" }).click();
  await change.waitFor({ state: "detached" });
  await page.getByText("“Sorry, Zoé 🎂”").first().waitFor();
  await page.getByText("Change acknowledged").waitFor();
  await card.getByText("Order changed").waitFor({ state: "detached" });
  await card.getByText("Sorry, Zoé 🎂").waitFor();
  expect(await unreloaded(supervisor.page)).toBe("opened once");
});

test("a cancellation after work began leaves the board when a supervisor has read it", async () => {
  const { order, id } = await startedOrder();
  const { page } = supervisor;
  await post("orders/cancelled", { ...order, ...later(), cancelled_at: new Date().toISOString() });
  await cardOf(page, id).getByText("Order changed").waitFor();
  await cardOf(page, id).getByRole("link").click();
  await page.getByText("The customer cancelled it.").waitFor();

  const viewer = await enter(browser, "viewer");
  await open(viewer.page, `/orders/${id}`);
  await viewer.page.getByText("The customer cancelled it.").waitFor();
  expect(await viewer.page.getByRole("button", { name: "I have read it" }).count()).toBe(0);
  await viewer.context.close();

  await page.getByRole("button", { name: "I have read it" }).click();
  await page.getByRole("heading", { level: 1 }).locator("..").getByText("Cancelled").waitFor();
  await page.goBack();
  await page.getByRole("region", { name: "Filling" }).waitFor();
  await cardOf(page, id).waitFor({ state: "detached" });
});

const entryRow = (page: Page, inbox: number) =>
  page.getByRole("listitem").filter({ has: page.getByRole("checkbox", { name: `Select webhook ${inbox}` }) });

/** Shows the dead ones and picks one for replay. */
async function pickDead(page: Page, inbox: number): Promise<Locator> {
  await open(page, "/channels");
  const shop = page.getByRole("region", { name: "Bannos Cakes" });
  await shop.getByRole("button", { name: "Show the dead ones" }).click();
  await entryRow(page, inbox).getByText("Dead").waitFor();
  await page.getByRole("checkbox", { name: `Select webhook ${inbox}` }).check();
  await page.getByRole("button", { name: "Replay 1" }).click();
  return page.getByRole("dialog");
}

test("poison becomes a dead letter: the rehearsal says why, and a replay fails again with its reason", async () => {
  const { inbox_id } = await post("orders/create", '{"id": 1, "name": "#1", "line_items": 7');
  await untilDead(inbox_id);
  const { page } = manager;
  const dialog = await pickDead(page, inbox_id);
  const row = dialog.locator(`[data-webhook="${inbox_id}"]`);
  await row.getByText("Would fail").waitFor();
  await row.getByText("The payload is not valid JSON.").waitFor();
  await dialog.getByRole("button", { name: "Replay 1 webhook" }).click();
  await row.getByText("Failed").waitFor();
  await row.getByText("The payload is not valid JSON.").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.getByLabel("State").selectOption("failed");
  await entryRow(page, inbox_id).getByText("The payload is not valid JSON.").waitFor();
});

test("what can be mended is rehearsed, replayed once, and is on the board", async () => {
  const order = shopifyOrder();
  const [first, ...others] = order.line_items;
  if (!first) throw new Error("no line");
  // A wholesale customer orders 600 boxes; until a rule says that they are no tickets, that is too many.
  const boxes = { ...first, id: 1, title: "Gift box", sku: `BOX-${order.order_number}`, quantity: 600 };
  const lines = [{ ...boxes, current_quantity: 600 }, first, ...others];
  const { inbox_id } = await post("orders/create", { ...order, line_items: lines });
  await untilDead(inbox_id);

  const { page } = manager;
  const rule = { p_store: "bannos", p_scope: "sku", p_match: "prefix", p_pattern: boxes.sku, p_target: "line_kind" };
  await call(page, "upsert_extraction_rule", { ...rule, p_parser: "fixed", p_value: "ignore", p_priority: 1 });
  await watch(supervisor.page, order.order_number);

  const dialog = await pickDead(page, inbox_id);
  const row = dialog.locator(`[data-webhook="${inbox_id}"]`);
  await row.getByText("New order").waitFor();
  for (const suffix of ["A", "B", "C"]) await row.getByText(`bannos-${order.order_number}-${suffix}`).waitFor();
  await shoot(page, "dialog-replay");
  expect(await violations(page)).toEqual([]);
  const found = await call<{ order_row: unknown }>(page, "get_order_for_scan", {
    p_scan: `bannos-${order.order_number}-A`,
  });
  expect(found.order_row ?? null).toBeNull(); // a rehearsal changes nothing

  await dialog.getByRole("button", { name: "Replay 1 webhook" }).click();
  await row.getByText("Done").waitFor();
  await shoot(page, "dialog-replay-done");
  await cardOf(supervisor.page, `bannos-${order.order_number}-A`).waitFor();
  await row.getByRole("link", { name: `bannos-${order.order_number}-A` }).click();
  await page.getByRole("heading", { name: `bannos-${order.order_number}-A` }).waitFor();

  await open(page, "/channels");
  await entryRow(page, inbox_id).getByText("Done").waitFor();
});

test("who may only read the channels cannot replay", async () => {
  const { page } = supervisor;
  await open(page, "/channels");
  await page
    .getByRole("region", { name: "Bannos Cakes" })
    .getByText(/Last event/)
    .waitFor();
  expect(await page.getByRole("checkbox").count()).toBe(0);
  expect(await page.getByRole("button", { name: /Replay/ }).count()).toBe(0);
});

test("nothing complained, and nobody else was asked", () => {
  expect([...operator.complaints, ...supervisor.complaints, ...manager.complaints]).toEqual([]);
});
