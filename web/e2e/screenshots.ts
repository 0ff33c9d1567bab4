import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { fillPlant } from "./plant";
import { pages, SIZES, shoot, showAs, THEMES, visit } from "./shots";
import { call, enter, launch, stack } from "./stack";

// The pictures of docs/screenshots: every page, both themes, two sizes. `make screenshots` runs this.
let browser: Browser;
let person: Page; // somebody who sees every page, and has work of her own

beforeAll(async () => {
  browser = await launch();
  const [operator, supervisor, admin] = await Promise.all(
    ["operator", "supervisor", "admin"].map((role) => enter(browser, role).then(({ page }) => page)),
  );
  if (!operator || !supervisor || !admin) throw new Error("nobody there");
  await fillPlant(operator, supervisor);
  person = admin;
  for (const stage of ["Covering", "Decorating"]) {
    const { orders } = await call<{ orders: { id: string }[] }>(admin, "get_queue", { p_stage: stage, p_limit: 2 });
    for (const { id } of orders) await call(admin, "assign_staff", { p_order_id: id });
  }
}, 120_000);
afterAll(() => browser?.close());

/** The page as it stands, in both themes and sizes. */
async function shootAll(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const theme of THEMES) {
      await showAs(page, theme);
      await shoot(page, `${name}-${theme}-${size}`);
    }
  }
  await page.setViewportSize(SIZES.desktop);
}

test("before anybody is signed in, and at a shared station", async () => {
  const { page: admin } = await enter(browser, "admin");
  const given = { p_code: "tablet-deco", p_kind: "kiosk", p_name: "Decorating bench", p_site: "main" };
  const { enrolment_code } = await call<{ enrolment_code: string }>(admin, "create_device", given);
  const context = await browser.newContext({ baseURL: stack().url, locale: "en-AU" });
  const page = await context.newPage();
  await page.goto("/");
  await page.getByLabel("E-mail").waitFor();
  await shootAll(page, "sign-in");
  await page.goto(`/#enrol=${enrolment_code}`);
  await page.reload();
  await page.getByRole("button", { name: "Make this a station" }).click();
  await page.getByRole("button", { name: /Olga/ }).waitFor();
  await shootAll(page, "station");
});

test("every page", { timeout: 600_000 }, async () => {
  const { orders } = await call<{ orders: { id: string }[] }>(person, "get_queue", { p_stage: "Packing" });
  const order = orders.find(({ id }) => !id.includes("-M"))?.id ?? "";
  for (const shot of pages(order).filter(({ name }) => name !== "board-stage")) {
    await visit(person, shot);
    await shootAll(person, shot.name);
    await shot.after?.(person);
  }
});
