import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { Bridge } from "./bridge";
import { seePhoto, takePhoto } from "./photo";
import { call, enter, launch, loseAnswers, open, type Person } from "./stack";

const STAMP = Date.now() % 10_000_000;
const [SKU, TITLE, FILE, BEFORE] = [`FOOT-${STAMP}`, `Foot ${STAMP}`, `foot_${STAMP}.3mf`, "/farm"];
const [MACHINE, SERIAL, PRINTER] = [`e2e-${STAMP}`, `E2E${STAMP}`, `Printer ${STAMP}`];

let browser: Browser;
let bridge: Bridge;
let operator: Person;
let planner: Person;
let viewer: Person;
let plate: number;

beforeAll(async () => {
  browser = await launch();
  const admin = await enter(browser, "admin");
  bridge = await Bridge.enrol(admin.page, `e2e-bridge-${STAMP}`);
  await admin.context.close();
  [operator, planner, viewer] = await Promise.all([
    enter(browser, "operator"),
    enter(browser, "planner"),
    enter(browser, "viewer"),
  ]);
  const part = { p_sku: SKU, p_title: TITLE, p_print_minutes: 90, p_grams_per_print: 40, p_parts_per_print: 8 };
  await call(planner.page, "upsert_part", { ...part, p_material: "PETG", p_color: "black" });
  const machine = { p_code: MACHINE, p_name: PRINTER, p_kind: "bambu", p_serial: SERIAL, p_site: "main" };
  await call(planner.page, "upsert_print_machine", { ...machine, p_materials: ["PETG"] });
}, 120_000);
afterAll(() => browser?.close());

/** A production order of our part. Its code. */
async function produce(quantity: number, fields: object = {}): Promise<string> {
  const given = { p_product_sku: SKU, p_quantity: quantity, p_site: "main", ...fields };
  const made = await call<{ order_row: { code: string } }>(planner.page, "create_production_order", given);
  return made.order_row.code;
}
interface Demand {
  available: number;
  deficit: number;
}
async function stock(): Promise<number> {
  const [part] = await call<Demand[]>(planner.page, "get_part_demand", { p_sku: SKU });
  return part?.available ?? Number.NaN;
}
const order = (page: Page, code: string, state: string) =>
  page.locator(`article[data-state="${state}"]`).and(page.getByRole("article", { name: code, exact: true }));
const ship = (code: string) => call(planner.page, "ship_production_order", { p_code: code });

test("a print of an unknown file waits, is mapped, is booked in one tap, and an order is fulfilled before other eyes", async () => {
  const code = await produce(8);
  await open(viewer.page, `${BEFORE}/orders?sku=${SKU}`); // a bookmark of before leads on
  await viewer.page.waitForURL(`/print-farm/orders?sku=${SKU}`);
  await order(viewer.page, code, "unfulfilled").getByText("Prints still needed: 1").waitFor();
  plate = await bridge.report(SERIAL, FILE, { p_plate: 1 });

  const { page } = planner;
  await open(page, "/print-farm/parts");
  const waiting = page.getByRole("list", { name: "Prints without a mapping" });
  await waiting.getByRole("button", { name: `Map this file: ${FILE}, plate 1` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Part", { exact: true }).selectOption(SKU);
  await dialog.getByLabel("Pieces").fill("8");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Book the 1 that waited" }).click();

  await order(viewer.page, code, "fulfilled").getByText("8 / 8").waitFor(); // nobody touched that browser
  expect(await stock()).toBe(8);
  await waiting.getByRole("listitem", { name: FILE }).waitFor({ state: "detached" });
  await open(page, `/print-farm/parts?q=${SKU}`);
  await page.getByRole("listitem", { name: TITLE }).getByText("Configured").waitFor();
  await ship(code);
});

test("a print by hand is logged in two taps from the schedule, once, though answers are lost and a glove taps twice", async () => {
  await produce(8, { p_priority: "rush" });
  const { page } = operator;
  await open(page, "/print-farm");
  const rush = page.getByRole("region", { name: "Rush" });
  await rush.getByText(TITLE).waitFor();
  await rush.getByRole("button", { name: `Log print: ${TITLE}` }).click();
  await loseAnswers(page, "log_manual_print", page.getByRole("button", { name: "Book 8 of 8 good" }));
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await rush.getByText(TITLE).waitFor({ state: "detached" });
  expect(await stock()).toBe(8);
});

test("seven of eight come off the plate: the reason is asked, a photo kept, the stock follows, and back", async () => {
  await bridge.beat(SERIAL, {});
  const { page } = operator;
  await open(page, "/print-farm/printers");
  const card = page.getByRole("region", { name: PRINTER });
  await card.getByRole("button", { name: `Clear the plate of ${PRINTER}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: `One less of ${TITLE}` }).click();
  await dialog.getByText("7 of 8 good").waitFor();
  const keep = dialog.getByRole("button", { name: "Keep this, the plate is clear" });
  expect(await keep.isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: "Warped" }).click();
  await takePhoto(operator, dialog, keep);
  expect(await violations(page)).toEqual([]);
  await keep.click();
  await dialog.waitFor({ state: "detached" });
  expect(await stock()).toBe(7);
  await viewer.page.goto(`/print-farm/prints?run=${plate}`);
  await seePhoto(viewer.page, "The plate as it came out");
  await card.getByText("Free: start the next print.").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect.poll(stock).toBe(8);
});

test("why an order has what it has is said, and a better priority takes parts from the other", async () => {
  const [first, second] = [await produce(6), await produce(4)]; // after the rush order, which has all eight
  const { page } = planner;
  await open(page, `/print-farm/orders?sku=${SKU}`);
  await page.getByRole("button", { name: `Why? ${second}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Orders before it still wait for 6.").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Escape");

  await open(viewer.page, `/print-farm/orders?sku=${SKU}`);
  await order(viewer.page, second, "unfulfilled").waitFor();
  await page.getByLabel(`Priority of ${second}`).selectOption("critical");
  await order(page, second, "fulfilled").getByText("4 / 4").waitFor();
  await order(viewer.page, second, "fulfilled").getByText("Critical").waitFor();
  await order(viewer.page, first, "unfulfilled").waitFor();
  await open(page, "/print-farm/schedule");
  await page.getByRole("region", { name: "Rush" }).getByText(TITLE).waitFor(); // four of its eight are gone
});

test("a doubtful print is decided by a person, and corrected later with a reason", async () => {
  await bridge.report(SERIAL, FILE, { p_plate: 1, p_outcome: "unknown" });
  const before = await stock();
  const { page } = operator;
  await open(page, "/print-farm/printers");
  const queue = page.getByRole("list", { name: "Prints to be looked at" });
  const item = queue.getByRole("listitem", { name: `${FILE}, plate 1` });
  await item.getByText("Nobody saw how it ended. Look at the plate: did it come out?").waitFor();
  await item.getByRole("link", { name: /Decide/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Printed" }).click();
  await dialog.getByText("8 of 8 good").waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Decide" }).click();
  await expect.poll(stock).toBe(before + 8);

  await page
    .getByRole("button", { name: new RegExp(FILE) })
    .first()
    .click();
  await dialog.getByRole("button", { name: "Correct it …" }).click();
  await dialog.getByRole("button", { name: "Failed" }).click();
  await dialog.getByLabel("Reason").fill("It was the old plate");
  await dialog.getByRole("button", { name: "Correct", exact: true }).click();
  await expect.poll(stock).toBe(before);
});

test("a printer at work is followed without asking", async () => {
  const { page } = viewer;
  await open(page, "/print-farm/printers");
  const card = page.getByRole("region", { name: PRINTER });
  const at = (percent: number, layer: number) =>
    bridge.beat(SERIAL, {
      phase: "printing",
      filename: FILE,
      plate: 1,
      percent,
      layer,
      total_layers: 80,
      remaining_min: 30,
    });
  await at(42, 33);
  await card.getByText("42 %").waitFor();
  await card.getByText("Layer 33 of 80").waitFor();
  await card.getByText(`Gives 8 × ${SKU}`).waitFor();
  await at(43, 34);
  await card.getByText("43 %").waitFor();
  await bridge.beat(SERIAL, { link: "auth", connected: false });
  await card.getByText(/It refuses the access code/).waitFor();
  expect(await violations(page)).toEqual([]);
});

test("a production order is taken, changed and cancelled on the page", async () => {
  const { page } = planner;
  await open(page, `/print-farm/orders?sku=${SKU}`);
  await page.getByRole("button", { name: "New production order" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("What is to be made (SKU)").fill(SKU);
  await dialog.getByLabel("Pieces").fill("3");
  await dialog.getByLabel("Number").fill(`E-${STAMP}`);
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Take the order" }).click();
  const card = order(page, `E-${STAMP}`, "unfulfilled");
  await card.getByText("0 / 3").waitFor();
  await card.getByRole("button", { name: "Change" }).click();
  await dialog.getByLabel("Pieces").fill("5");
  await dialog.getByRole("button", { name: "Save" }).click();
  await card.getByText("0 / 5").waitFor();
  await card.getByRole("button", { name: "Change" }).click();
  await dialog.getByRole("button", { name: "Cancel the order …" }).click();
  await dialog.getByLabel("Why is it cancelled?").fill("Ordered twice");
  await dialog.getByRole("button", { name: "Cancel the order", exact: true }).click();
  await card.waitFor({ state: "detached" });
});

test("parts and printers are kept by those who may", async () => {
  const { page } = planner;
  await open(page, `/print-farm/parts?q=${SKU}`);
  await page.getByRole("button", { name: `Edit ${TITLE}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Minutes of one print").fill("100");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("listitem", { name: TITLE }).getByText("8 per print, 1 h 40 min").waitFor();
  await open(page, "/print-farm/printers");
  const card = page.getByRole("region", { name: PRINTER });
  await card.getByRole("button", { name: "Switch off here" }).click();
  await card.getByText("Switched off here: it is not planned for.").waitFor();
  await card.getByRole("button", { name: `Edit ${PRINTER}` }).click();
  await dialog.getByLabel("Model").fill("P1S");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
});

test("a viewer sees all of it and can do none of it; nothing complained", async () => {
  const { page } = viewer;
  const acts = /Log print|New production order|Ship|Change|New part|Map|Edit|Book|Clear the plate|Switch|Add a printer/;
  for (const part of ["schedule", "orders", "parts", "printers", "prints"]) {
    await open(page, `/print-farm/${part}`);
    await page.getByRole("main").getByText(/./).first().waitFor();
    expect(await page.getByRole("main").getByRole("button", { name: acts }).count()).toBe(0);
  }
  const refused = await call<{ hint: string }>(page, "log_manual_print", { p_lines: [{ sku: SKU, quantity: 8 }] });
  expect(refused.hint).toBe("auth.forbidden");
  await open(page, "/print-farm/prints");
  await page
    .getByRole("button", { name: new RegExp(FILE) })
    .first()
    .click();
  await page.getByRole("dialog").getByText(PRINTER).or(page.getByRole("dialog").getByText(MACHINE)).first().waitFor();
  expect(await page.getByRole("dialog").getByRole("button", { name: "Correct" }).count()).toBe(0);
  expect([...operator.complaints, ...planner.complaints, ...viewer.complaints]).toEqual([]);
});
