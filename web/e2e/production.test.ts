import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { seePhoto, takePhoto } from "./photo";
import { ask, BENCH, begin, end, LEG, manager, operator, PACK, PANEL, planner, produce, read, SAW } from "./routed";
import { open, wedge } from "./stack";
import { says } from "./workshop";

beforeAll(begin, 120_000);
afterAll(end);

/** The station of a work centre: the code on the machine is scanned. */
async function standAt(centre: string): Promise<void> {
  const { page } = operator;
  await open(page, "/station/work");
  const other = page.getByRole("button", { name: "Another work centre" });
  await page.getByText("Which work centre is this?").or(other).first().waitFor();
  if (await other.isVisible()) await other.click();
  await page.getByRole("button", { name: new RegExp(centre) }).waitFor();
  await wedge(page, centre, 5);
  await other.waitFor();
}

/** A GTIN of 14 digits with its check digit. */
function gtinOf(number: number): string {
  const digits = String(number).padStart(13, "0").slice(-13);
  const sum = [...digits].reduce((all, digit, index) => all + Number(digit) * (index % 2 === 0 ? 3 : 1), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

test("an order goes through three work centres by scanner; scrap is made again before the planner's eyes", async () => {
  const code = await produce(3);
  const { page } = operator;
  await open(planner.page, `/production?q=${code}`);
  await planner.page.getByText(code, { exact: true }).first().waitFor();

  await standAt(SAW);
  const ready = page.getByRole("list", { name: "Can run now" });
  await ready.getByText(code, { exact: true }).waitFor();
  await wedge(page, code, 5);
  await says(page, code);
  await page.getByRole("button", { name: "Start 3" }).click();
  await says(page, `${code} runs.`);
  await page.getByRole("button", { name: "+1 good" }).click();
  await says(page, "Good: 1 of 3.");
  await wedge(page, "TAKT-OK", 5);
  await says(page, "Good: 2 of 3.");
  // Two taps: what is wrong, then exactly what.
  await page.getByRole("region", { name: "Not good" }).getByRole("button", { name: "Material" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /Knot or crack/ }).waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: /Knot or crack/ }).click();
  await says(page, /makes 1 again/);
  await planner.page.getByText(`${code}-R1`, { exact: true }).first().waitFor({ timeout: 20_000 });

  for (const centre of [BENCH, PACK]) {
    await standAt(centre);
    await wedge(page, code, 5);
    await says(page, /2 can start/);
    await page.getByRole("button", { name: "All 2 good" }).click();
    await says(page, /2/);
    await page.getByText(centre === PACK ? "This was the last step." : /Done here\. Next/).waitFor();
  }
  const now = await read(code);
  expect(now.steps.map((step) => [step.status, step.good, step.scrap])).toEqual([
    ["COMPLETED", 2, 1],
    ["COMPLETED", 2, 0],
    ["COMPLETED", 2, 0],
  ]);
  expect(now.order_row.status).toBe("OPEN_PARTIAL");
  expect(now.replenishments).toMatchObject([{ code: `${code}-R1`, quantity: 1 }]);
}, 180_000);

test("a count whose answer was cut off is counted once, through a reload and a second tap; the next one is another", async () => {
  const code = await produce(5);
  await standAt(SAW);
  const { page } = operator;
  await wedge(page, code, 5);
  await page.getByRole("button", { name: /^Start / }).click();
  const piece = page.getByRole("button", { name: "+1 good" });
  const unanswered = page.getByText(/^No answer yet: Report pieces, .*counts once\.$/);
  const given = new Set<unknown>();
  const sawn = async () => (await read(code)).steps[0]?.good;
  await page
    .getByText(/runs\./)
    .first()
    .waitFor();

  await page.route("**/rest/v1/rpc/report_production", async (route) => {
    given.add((route.request().postDataJSON() as { p_request_id: string }).p_request_id);
    await route.fetch(); // the server counts it; its answer never arrives
    await route.abort("connectionreset");
  });
  await piece.click();
  await unanswered.waitFor();
  expect(await sawn()).toBe(1);
  await page.reload();
  await unanswered.waitFor();
  await piece.click();
  await page.getByText(`No answer yet: Report pieces (${code})`).first().waitFor();
  expect(await page.getByRole("button", { name: "Undo my last report" }).count()).toBe(0);
  expect(await violations(page)).toEqual([]);
  await page.unroute("**/rest/v1/rpc/report_production");
  await unanswered.waitFor({ state: "detached" });
  await page.getByRole("link", { name: /^(Not sent|Look here)/ }).waitFor({ state: "detached" });
  expect([given.size, await sawn()]).toEqual([1, 1]);

  await piece.click();
  await page.getByText("Good: 2 of 5.").first().waitFor();
  expect(await sawn()).toBe(2);
}, 120_000);

test("what cannot run says why, and is not counted on", async () => {
  const code = await produce(2);
  const { page } = operator;
  await standAt(BENCH);
  const waits = page.getByRole("list", { name: "Waits" }).getByRole("listitem").filter({ hasText: code });
  await waits.getByText(/waits for good pieces from/).waitFor();
  await wedge(page, code, 5);
  await says(page, /waits for good pieces/);
  expect(await page.getByRole("button", { name: "+1 good" }).count()).toBe(0);
  await standAt(SAW);
  await wedge(page, "no-such-code", 5);
  await says(page, "Nothing here has this code.");
  await wedge(page, code, 5);
  await says(page, code);
  await page.getByRole("button", { name: "+1 good" }).click();
  await says(page, "Good: 1 of 2.");
  await page.getByRole("button", { name: "Undo my last report" }).click();
  await says(page, "Undone.");
  expect((await read(code)).steps[0]).toMatchObject({ good: 0 });
}, 120_000);

test("a lot is scanned before it goes in; rework comes back good; a report in figures", async () => {
  const code = await produce(4);
  const lot = `L-${code}`;
  const material = (
    await ask<{ steps: { materials: { sku: string }[] }[] }>(planner, "get_production_order", { p_code: code })
  ).steps[0]?.materials[0]?.sku;
  await ask(operator, "upsert_lot", { p_sku: material, p_code: lot });
  const { page } = operator;
  await standAt(SAW);
  await wedge(page, lot, 5);
  await says(page, "Scan the order first, then what goes into it.");
  await wedge(page, code, 5);
  const gtin = gtinOf(Date.now());
  await ask(planner, "save_item_gtin", { p_gtin: gtin, p_sku: material });
  // An ordinary wedge sends no brackets. Where it swallowed a separator, what is meant is asked.
  await wedge(page, `01${gtin}10${lot}21XYZ`, 5);
  await says(page, "Which lot is it?");
  const form = page.getByRole("form", { name: `Use lot ${lot}` });
  await wedge(page, `01${gtin}10${lot}`, 5);
  await form.waitFor();
  await wedge(page, `(01)${gtin}(10)${lot}`, 5);
  await form.getByLabel("Quantity").fill("4");
  await form.getByRole("button", { name: "It goes in" }).click();
  await says(page, `4 of lot ${lot} go into ${code}.`);

  await page.getByRole("region", { name: "Not good" }).getByRole("button", { name: "Dimension" }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /Too large/ })
    .click();
  await says(page, "Rework: 1");
  const waiting = page.getByRole("region", { name: "Being reworked or on hold" });
  await waiting.getByRole("button", { name: "Good now" }).click();
  await says(page, "Good: 1 of 4.");
  await waiting.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Report in figures" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Good").fill("2");
  await dialog.getByLabel("Scrap").fill("1");
  await dialog.getByRole("combobox", { name: "Reason" }).selectOption("BROKEN");
  await takePhoto(operator, dialog, dialog.getByRole("button", { name: "Report", exact: true }));
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Report", exact: true }).click();
  await says(page, "Reported: 2 good, 1 scrap, 0 rework");
  await page.getByText(/Done here\. Next/).waitFor();

  await open(planner.page, `/production/orders/${code}`);
  const lost = planner.page.getByRole("list", { name: "Not good" }).getByRole("listitem").filter({ hasText: "Broken" });
  await lost.getByRole("button", { name: "Show the photo" }).click();
  await seePhoto(planner.page, "What was not good");
}, 120_000);

test("a scan of an order or a lot on any page leads to it; the same code of several lots is asked about", async () => {
  const code = await produce(1);
  const lot = `S-${code}`;
  const { page } = operator;
  await ask(operator, "receive_lot", { p_sku: PANEL, p_code: lot, p_quantity: 1 });
  await open(page, "/board");
  await wedge(page, code, 5);
  await page.getByRole("link", { name: "Open the order" }).click();
  await page.getByRole("heading", { name: code, exact: true }).waitFor();
  await open(page, "/board");
  await wedge(page, lot, 5);
  await page.getByRole("link", { name: `Open lot ${lot} of ${PANEL}` }).click();
  await page.getByRole("heading", { name: lot, exact: true }).waitFor();
  await ask(operator, "receive_lot", { p_sku: LEG, p_code: lot, p_quantity: 1 });
  await open(page, "/board");
  await wedge(page, lot, 5);
  await page.getByText("Several items have a lot of that code. Which one is it?").first().waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: `Open lot ${lot} of ${LEG}` }).click();
  await page.getByText(LEG, { exact: true }).first().waitFor();
}, 120_000);

test("a work centre is taken out of use by two people, and the station says so at once", async () => {
  const { page } = planner;
  await open(operator.page, "/station/work");
  await standAt(PACK);
  await open(page, "/production/centres");
  const centre = page.getByRole("listitem").filter({ hasText: PACK });
  await centre.getByRole("button", { name: "Ask to take it out of use" }).click();
  await page.getByRole("dialog").getByLabel("Why").fill("The belt is torn");
  await page.getByRole("dialog").getByRole("button", { name: "Ask for it" }).click();
  await centre.getByRole("link", { name: /asked to take it out of use/ }).click();
  const mine = page
    .getByRole("list", { name: "Requests" })
    .getByRole("listitem")
    .filter({ hasText: "The belt is torn" });
  await mine.getByText("You asked for it, so somebody else decides.").waitFor();
  expect(await mine.getByRole("button", { name: "Approve" }).count()).toBe(0);

  await open(manager.page, "/production/approvals");
  const request = manager.page.getByRole("listitem").filter({ hasText: "The belt is torn" });
  await request.getByRole("button", { name: "Approve" }).click();
  expect(await violations(manager.page)).toEqual([]);
  await manager.page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await manager.page.getByText("Approved.", { exact: true }).waitFor();
  await operator.page.getByText("Out of use: The belt is torn", { exact: true }).waitFor({ timeout: 20_000 });
  const code = await produce(1);
  await wedge(operator.page, code, 5);
  await says(operator.page, /out of use/);
}, 120_000);

test("nothing complains, and nobody else is asked", () => {
  for (const { complaints } of [operator, planner, manager]) expect(complaints).toEqual([]);
});
