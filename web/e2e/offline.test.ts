import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, enter, launch, newOrder, open, type Person } from "./stack";

let browser: Browser;
let operator: Person;
let planner: Person;

beforeAll(async () => {
  browser = await launch();
  [operator, planner] = await Promise.all([enter(browser, "operator"), enter(browser, "planner")]);
});
afterAll(() => browser?.close());

interface Entry {
  event: string;
}
const history = async (id: string) =>
  (await call<Entry[]>(planner.page, "get_order_timeline", { p_order_id: id })).map((entry) => entry.event);

test("ten seconds without a network: three commands wait, then happen exactly once", async () => {
  const { id } = await newOrder(planner.page);
  const { page, context } = operator;
  await open(page, `/orders/${id}`);
  await page.getByRole("button", { name: `Start ${id}` }).waitFor();
  await page.getByRole("button", { name: "Storage", exact: true }).click(); // what the dialogs need is read while there is a network
  await page.getByRole("button", { name: "Store Fridge" }).waitFor();
  await page.keyboard.press("Escape");

  await context.setOffline(true);
  const cut = Date.now();
  await page.getByRole("button", { name: `Start ${id}` }).click();
  await page.getByText(/Not sent yet: Start Filling/).waitFor();
  await page.getByRole("button", { name: "Storage", exact: true }).click();
  await page.getByRole("button", { name: "Store Fridge" }).click();
  await page.getByRole("button", { name: "Assign", exact: true }).click();
  await page.getByRole("button", { name: "Me", exact: true }).click();
  await page.getByRole("link", { name: "Not sent: 3" }).waitFor();
  await page.getByText("No network.").waitFor();
  // Nothing is shown as done: the ticket still waits to be started.
  expect(await page.getByRole("button", { name: `Start ${id}` }).count()).toBe(1);
  expect(await page.getByText("Not sent yet", { exact: true }).count()).toBeGreaterThan(0);
  await page.waitForFunction((since) => Date.now() - since > 10_000, cut);
  expect(await history(id)).toEqual(["order.created"]);

  await context.setOffline(false);
  await page.getByRole("link", { name: /Not sent/ }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: `Done ${id}` }).waitFor();
  expect((await history(id)).sort()).toEqual(["filling.started", "order.assigned", "order.created", "order.stored"]);
});

test("a command that became impossible is shown as a card, and can be dropped", async () => {
  const { id } = await newOrder(planner.page);
  const { page, context } = operator;
  await open(page, `/orders/${id}`);
  await page.getByRole("button", { name: `Start ${id}` }).waitFor();
  await context.setOffline(true);
  await page.getByRole("button", { name: `Start ${id}` }).click();
  await page.getByRole("link", { name: "Not sent: 1" }).waitFor();
  await call(planner.page, "cancel_order", { p_order_id: id, p_reason: "The customer called" });
  await context.setOffline(false);
  await page.getByRole("link", { name: "Look here: 1" }).click();
  await page.getByRole("heading", { name: /was refused/ }).waitFor();
  await page.getByText("This order is cancelled. Set it aside.").waitFor();

  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).click();
  const file = JSON.parse(readFileSync(await (await saved).path(), "utf8")) as { commands: object[] };
  const refusal = expect.objectContaining({ hint: "order.cancelled" });
  const rpc = "handle_print_barcode";
  expect(file.commands).toEqual([expect.objectContaining({ entity: id, rpc, state: "refused", refusal })]);

  await page.getByRole("button", { name: "Drop it" }).click();
  await page.getByText("Everything has reached the server.").waitFor();
});

test("what was changed meanwhile is caught up with", async () => {
  const { id } = await newOrder(planner.page);
  const { page, context } = operator;
  await open(page, `/orders/${id}`);
  await page.getByText("Nobody yet").waitFor();
  await context.setOffline(true);
  await call(planner.page, "assign_staff", { p_order_id: id });
  await context.setOffline(false);
  await page.getByText("Sami (planner)").first().waitFor({ timeout: 15_000 });
});

/** Whether this browser has stored the board for a time without a network. */
function keptLists(page: Page): Promise<boolean> {
  return page.evaluate(
    () =>
      new Promise<boolean>((done) => {
        const opening = indexedDB.open("takt");
        opening.onsuccess = () => {
          const asked = opening.result.transaction("cache").objectStore("cache").get("queries");
          asked.onsuccess = () => {
            opening.result.close();
            done(JSON.stringify(asked.result ?? "").includes('"queryKey":["queue"'));
          };
        };
      }),
  );
}

test("the application opens without a network and shows what it knew", async () => {
  const { page, context } = operator;
  await open(page, "/board");
  await page.getByRole("article").first().waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await expect.poll(() => keptLists(page), { timeout: 10_000 }).toBe(true);
  await context.setOffline(true);
  await page.reload();
  await page.getByRole("article").first().waitFor();
  await page.getByText(/No network|No live connection/).waitFor();
  await context.setOffline(false);
});
