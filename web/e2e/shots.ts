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

/** A sheet on which one figure is noted. */
async function counting(page: Page): Promise<void> {
  const count = await call<{ count_row: { id: number } }>(page, "start_count", { p_location: "pack-bench" });
  await page.goto(`/stock/counts/${count.count_row.id}`);
  await page.getByLabel(/How many/).fill("57");
  await page.keyboard.press("Enter");
  await page.getByText(/^1 of/).waitFor();
}

async function stopCounting(page: Page): Promise<void> {
  await call(page, "cancel_count", { p_count_id: Number(new URL(page.url()).pathname.split("/").pop()) });
}

/** The newest unit in a state is scanned. */
const bench = (status: string) => async (page: Page) => {
  const found = await call<{ units: { sn: string }[] }>(page, "get_units", { p_status: [status], p_limit: 1 });
  await wedge(page, found.units[0]?.sn ?? "", 5);
  await page.locator("[data-bench-tone=ok]").waitFor();
};

/** The station of a CNC machine, with the first order of its queue on the bench. */
async function workCentre(page: Page): Promise<void> {
  await page.evaluate(() => localStorage.setItem("takt.work-centre", JSON.stringify("cnc-1")));
  await page.reload();
  await page.getByRole("list", { name: "Can run now" }).getByRole("button").first().click();
  await page.getByRole("region", { name: "Not good" }).getByRole("button").first().waitFor();
}

/** Pasted orders of another system, tried: one that is fine, one that is not. */
async function mapOrders(page: Page): Promise<void> {
  const made = await call<{ items: { sku: string }[] }>(page, "get_routings", { p_limit: 1 });
  const sku = made.items[0]?.sku ?? "";
  const rows = [`ERP-7\t${sku}\t12\t2026-12-18\tHall 2`, `ERP-8\t${sku}-X\t4\t18.12.2026\tHall 2`];
  const lines = ["Order No\tArticle\tQuantity\tDue date\tHall", ...rows];
  await page.getByLabel(/^Cells with the names/).fill(lines.join("\n"));
  await page.getByRole("button", { name: "Read them" }).click();
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByText("2 rows were tried.").waitFor();
}

async function openFirst(page: Page): Promise<void> {
  await page.getByRole("region", { name: "Units" }).getByRole("listitem").first().getByRole("link").click();
  await page.getByRole("list", { name: "Lights of the gate" }).waitFor();
}

async function newRules(page: Page): Promise<void> {
  await page.getByRole("button", { name: "New version" }).click();
  await page.getByLabel("Firmware versions").fill(">=1.4.2 <2");
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByRole("status").getByText("not packed yet").waitFor();
}

/** What the QR code of a machine opens, with a symptom chosen. */
async function scannedMachine(page: Page): Promise<void> {
  const { path } = await call<{ path: string }>(page, "get_machine_qr", { p_machine: "packer-1" });
  await page.goto(path);
  await page.getByRole("button", { name: "Stopped by itself" }).click();
  await page.getByText("Take a photo").waitFor();
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
    { name: "farm", path: "/print-farm", ready: "nav" },
    { name: "farm-orders", path: "/print-farm/orders", ready: "ol" },
    { name: "farm-parts", path: "/print-farm/parts", ready: "section" },
    { name: "farm-printers", path: "/print-farm/printers", ready: "section" },
    { name: "farm-prints", path: "/print-farm/prints", ready: "section" },
    { name: "stock", path: "/stock", ready: "section a" },
    { name: "stock-item", path: "/stock/item?sku=SPONGE-RED", ready: "section ol li" },
    { name: "stock-alarms", path: "/stock/alarms", ready: "section li" },
    { name: "stock-counts", path: "/stock/counts", ready: "section li" },
    { name: "stock-count", path: "/stock/counts/1", ready: "section li" },
    { name: "stock-sheet", path: "/stock/counts", ready: "section", prepare: counting, after: stopCounting },
    { name: "stock-products", path: "/stock/products", ready: "section li" },
    { name: "stock-rules", path: "/stock/rules", ready: "section" },
    { name: "stock-places", path: "/stock/places", ready: "section li" },
    { name: "stock-import", path: "/stock/import", ready: "section" },
    { name: "stock-pushes", path: "/stock/pushes", ready: "section" },
    { name: "units", path: "/units", ready: "section li" },
    { name: "unit", path: "/units?status=ASSEMBLED", ready: "section li", prepare: openFirst },
    { name: "units-finished", path: "/units/finished", ready: "section li" },
    { name: "units-kits", path: "/units/kits", ready: "section li" },
    { name: "units-yield", path: "/units/yield", ready: "table" },
    { name: "variants", path: "/variants?variant=SENSE-EU", ready: "ol li" },
    { name: "variants-rules", path: "/variants?variant=SENSE-EU", ready: "ol li", prepare: newRules },
    { name: "recall", path: "/recall?key=L-2611-07&kind=lot", ready: "section section li" },
    { name: "station-flash", path: "/station/flash", ready: "ol", prepare: bench("CREATED") },
    { name: "station-assembly", path: "/station/assembly", ready: "ol", prepare: bench("ASSEMBLED") },
    { name: "station-test", path: "/station/test", ready: "ol", prepare: bench("FLASHED") },
    { name: "station-pack", path: "/station/pack", ready: "ol", prepare: bench("ASSEMBLED") },
    { name: "station-work", path: "/station/work", ready: "section", prepare: workCentre },
    { name: "production", path: "/production", ready: "article" },
    { name: "production-order", path: "/production/orders/FU-1002", ready: "ol li" },
    { name: "production-lot", path: "/production/lots/OAK-2611-1", ready: "svg path" },
    { name: "production-centres", path: "/production/centres", ready: "section li" },
    { name: "production-routings", path: "/production/routings", ready: "section ol li" },
    { name: "production-import", path: "/production/import", ready: "section", prepare: mapOrders },
    { name: "production-approvals", path: "/production/approvals", ready: "li section" },
    { name: "production-quality", path: "/production/quality", ready: "table" },
    { name: "machines", path: "/machines", ready: "section li a" },
    { name: "andon", path: "/andon", ready: "ul li" },
    { name: "machine", path: "/machine/cnc-1", ready: "dl" },
    { name: "machines-stops", path: "/machines/stops?show=all", ready: "[role=status]" },
    { name: "machines-micro", path: "/machines/micro", ready: "search" },
    { name: "machines-oee", path: "/machines/oee", ready: "dl" },
    { name: "machines-oee-days", path: "/machines/oee?machine=cnc-1", ready: "dl" },
    { name: "machines-shift", path: "/machines/shift?machine=cnc-1", ready: "search" },
    { name: "machines-reliability", path: "/machines/reliability", ready: "table" },
    { name: "machines-calendar", path: "/machines/calendar", ready: "select" },
    { name: "machines-handover", path: "/machines/handover", ready: "select" },
    { name: "maintenance", path: "/maintenance", ready: "section li a" },
    { name: "maintenance-repair", path: "/maintenance/repairs/2", ready: "dl" },
    { name: "maintenance-plans", path: "/maintenance/plans", ready: "table" },
    { name: "maintenance-history", path: "/maintenance/history", ready: "ol li" },
    { name: "maintenance-machines", path: "/maintenance/machines", ready: "ul li a" },
    { name: "report", path: "/maintenance/machines", ready: "ul li a", prepare: scannedMachine },
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

/** A picture for people, where TAKT_SHOTS names a folder for it. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.TAKT_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}

export const SIZES = { desktop: { width: 1280, height: 800 }, tablet: { width: 820, height: 1180 } };
export const THEMES = ["light", "dark"] as const;

/** The page as it stands, in the other colours. */
export async function showAs(page: Page, theme: (typeof THEMES)[number]): Promise<void> {
  await page.evaluate(async (value) => {
    document.documentElement.dataset.theme = value;
    // Colours that fade from one theme to the other are of neither.
    await Promise.allSettled(document.getAnimations().map((one) => one instanceof CSSTransition && one.finished));
  }, theme);
}
