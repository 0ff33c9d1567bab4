import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { call, wedge } from "./stack";

export interface Shot {
  name: string;
  path: string;
  /** What is there when the page is, inside of main. */
  ready: string;
  /** Makes the page look used; `after` puts things back. */
  prepare?: (page: Page) => Promise<void>;
  after?: (page: Page) => Promise<void>;
}

/** Two commands given without a network. */
async function waitingCommands(page: Page, order: string): Promise<void> {
  await visit(page, { name: "order", path: `/orders/${order}`, ready: "dl" });
  await page.getByRole("button", { name: "Storage", exact: true }).click();
  await page.getByRole("button", { name: "Store Fridge" }).waitFor();
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Store Fridge" }).click();
  await page.getByRole("button", { name: "Assign", exact: true }).click();
  await page.getByRole("button", { name: "Me", exact: true }).click();
  await page.getByRole("link", { name: "Not sent: 2" }).click();
  await page.getByRole("heading", { name: "Not sent yet" }).waitFor();
  for (const left of [2, 1])
    await page
      .getByRole("button", { name: "Close" })
      .nth(left - 1)
      .click(); // the messages
}

async function sendWaiting(page: Page): Promise<void> {
  await page.context().setOffline(false);
  await page.getByRole("link", { name: /Not sent/ }).waitFor({ state: "detached" });
}

/** One scan that is refused, one that starts a ticket or ends its stage. */
async function scanned(page: Page): Promise<void> {
  const queue = await call<{ orders: { id: string }[] }>(page, "get_queue", { p_stage: "Filling", p_limit: 1 });
  for (const code of ["no-such-code", queue.orders[0]?.id ?? ""]) await wedge(page, code, 5);
  await page.getByRole("main").locator("[data-scan-tone=ok], [data-scan-tone=ask]").first().waitFor();
}

async function checked(page: Page): Promise<void> {
  const codes = await page.locator("[data-sample]").evaluateAll((list) => list.map((one) => one.textContent ?? ""));
  for (const code of codes.slice(0, 3)) await wedge(page, code, 20);
  await page.getByText("Codes: 3").waitFor();
}

/** Every page of the client. `order`: the id of a ticket that is being packed. */
export function pages(order: string): Shot[] {
  return [
    { name: "board", path: "/board", ready: "article" },
    { name: "board-stage", path: "/board?stage=Filling", ready: "article" },
    { name: "queue", path: "/queue", ready: "h1" },
    { name: "dashboard", path: "/dashboard", ready: "li a" },
    { name: "order", path: `/orders/${order}`, ready: "dl" },
    { name: "slip", path: `/orders/${order}/slip`, ready: "article" },
    { name: "scan", path: "/scan", ready: "h1", prepare: scanned },
    { name: "scan-check", path: "/scan/check", ready: "h1", prepare: checked },
    {
      name: "outbox",
      path: "/outbox",
      ready: "h1",
      prepare: (page) => waitingCommands(page, order),
      after: sendWaiting,
    },
    { name: "monitor", path: "/monitor", ready: "section li" },
    { name: "channels", path: "/channels", ready: "section" },
    { name: "printing", path: "/printing", ready: "section" },
    { name: "printing-jobs", path: "/printing/jobs", ready: "section" },
    { name: "printing-templates", path: "/printing/templates", ready: "section li" },
    { name: "printing-template", path: "/printing/templates/order_ticket", ready: "figure img" },
    { name: "admin-staff", path: "/admin/staff", ready: "section li" },
    { name: "admin-roles", path: "/admin/roles", ready: "table" },
    { name: "admin-devices", path: "/admin/devices", ready: "section" },
    { name: "admin-settings", path: "/admin/settings", ready: "form" },
  ];
}

/** Goes there and waits until it has settled. */
export async function visit(page: Page, { path, ready, prepare }: Shot): Promise<void> {
  await page.goto(path);
  await page.locator(`main ${ready}`).first().waitFor();
  await page.waitForLoadState("networkidle").catch(() => undefined);
  await prepare?.(page);
}

export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.TAKT_SHOTS ?? join(import.meta.dirname, "shots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}

export async function setTheme(page: Page, theme: "light" | "dark"): Promise<void> {
  await page.evaluate((value) => localStorage.setItem("takt.theme", JSON.stringify(value)), theme);
}
