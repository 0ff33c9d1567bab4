import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COLOURS, violations } from "./axe";
import { pages, SIZES, shoot, showAs, THEMES, visit } from "./shots";
import { call, enter, launch, type Person } from "./stack";

let browser: Browser;
let admin: Person;
let order: string;

beforeAll(async () => {
  browser = await launch();
  admin = await enter(browser, "admin");
  const queue = await call<{ orders: { id: string }[] }>(admin.page, "get_queue", { p_stage: "Packing", p_limit: 1 });
  order = queue.orders[0]?.id ?? "";
});
afterAll(() => browser?.close());

test("every page is accessible in both themes, and fits a tablet", { timeout: 600_000 }, async () => {
  const { page } = admin;
  const broken: Record<string, string[]> = {};
  for (const shot of pages(order)) {
    await visit(page, shot);
    for (const [seen, theme] of THEMES.entries()) {
      await showAs(page, theme);
      await shoot(page, `${shot.name}-${theme}`);
      const found = await (seen ? violations(page, COLOURS) : violations(page));
      if (found.length) broken[`${shot.name}, ${theme}`] = found;
    }
    await page.setViewportSize(SIZES.tablet);
    await shoot(page, `${shot.name}-tablet`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) broken[`${shot.name}, tablet`] = [`scrolls sideways by ${wide} px`];
    await page.setViewportSize(SIZES.desktop);
    await shot.after?.(page);
  }
  expect(broken).toEqual({});
});

test("dialogs are accessible", async () => {
  const { page } = admin;
  const broken: Record<string, string[]> = {};
  const look = async (name: string) => {
    await page.getByRole("dialog").waitFor();
    await shoot(page, name);
    const found = await violations(page);
    if (found.length) broken[name] = found;
    await page.keyboard.press("Escape");
  };
  await page.goto("/board");
  await page.getByRole("article").first().waitFor();
  await page.getByRole("button", { name: "New order" }).click();
  await look("dialog-new-order");
  await page.getByRole("button", { name: "Menu" }).click();
  await look("dialog-menu");
  await page.goto(`/orders/${order}`);
  for (const name of ["Assign", "Storage", "Priority", "Due date", "Edit", "Send back", "Cancel order"]) {
    await page.getByRole("button", { name, exact: true }).click();
    await look(`dialog-${name.toLowerCase().replaceAll(" ", "-")}`);
  }
  expect(broken).toEqual({});
}, 120_000);

test("nothing complains, and nobody else is asked", () => {
  expect(admin.complaints).toEqual([]);
});
