import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";

/** Every page of the client: name and address. `order` is the id of some ticket. */
export function pages(order: string): { name: string; path: string; ready: string }[] {
  return [
    { name: "board", path: "/board", ready: "article" },
    { name: "board-stage", path: "/board?stage=Filling", ready: "article" },
    { name: "queue", path: "/queue", ready: "h1" },
    { name: "dashboard", path: "/dashboard", ready: "li a" },
    { name: "order", path: `/orders/${order}`, ready: "dl" },
    { name: "slip", path: `/orders/${order}/slip`, ready: "article" },
    { name: "scan", path: "/scan", ready: "h1" },
    { name: "scan-check", path: "/scan/check", ready: "h1" },
    { name: "outbox", path: "/outbox", ready: "h1" },
    { name: "monitor", path: "/monitor", ready: "section li" },
    { name: "channels", path: "/channels", ready: "section" },
    { name: "admin-staff", path: "/admin/staff", ready: "section li" },
    { name: "admin-roles", path: "/admin/roles", ready: "table" },
    { name: "admin-devices", path: "/admin/devices", ready: "section" },
    { name: "admin-settings", path: "/admin/settings", ready: "form" },
  ];
}

/** Goes there and waits until it has settled. */
export async function visit(page: Page, path: string, ready: string): Promise<void> {
  await page.goto(path);
  await page.locator(`main ${ready}`).first().waitFor();
  await page.waitForLoadState("networkidle").catch(() => undefined);
}

export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.TAKT_SHOTS ?? join(import.meta.dirname, "shots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

export async function setTheme(page: Page, theme: "light" | "dark"): Promise<void> {
  await page.evaluate((value) => localStorage.setItem("takt.theme", JSON.stringify(value)), theme);
}
