import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import {
  addPhoto,
  ago,
  begin,
  countTaps,
  end,
  figure,
  filesOf,
  machine,
  operator,
  passerBy,
  picture,
  REASON,
  says,
  states,
  supervisor,
  technician,
  widths,
} from "./machine-park";
import { ask } from "./routed";
import { open } from "./stack";

beforeAll(begin, 120_000);
afterAll(end);

const LIVE = { timeout: 20_000 };

test("somebody without an account reports by the QR code, a technician repairs, and MTTR moves", async () => {
  const code = await machine("PRESS");
  const { path } = await ask<{ path: string }>(supervisor, "get_machine_qr", { p_machine: code });
  await open(supervisor.page, `/machines/reliability?machine=${code}`);
  const mttr = figure(supervisor.page, "MTTR");
  await mttr.waitFor();
  expect(await mttr.textContent()).toMatch(/^–/);
  await open(operator.page, `/machine/${code}`);
  const now = operator.page.getByRole("region", { name: "Now" });
  await now.getByText("Runs", { exact: true }).waitFor();

  const page = await passerBy();
  const taps = await countTaps(page);
  const scanned = performance.now();
  await page.goto(path);
  await page.getByRole("button", { name: "Does not start" }).click();
  await page.getByRole("button", { name: "Report it" }).click();
  const ticket = page.getByRole("heading", { name: /Reported: ticket/ });
  await ticket.waitFor();
  console.info(`from the scan to the ticket: ${((performance.now() - scanned) / 1000).toFixed(1)} s`);
  expect(await taps()).toEqual(["click", "click"]); // ten seconds are enough: two taps, and nothing to write
  await page.getByRole("heading", { name: code }).waitFor();
  expect(await violations(page)).toEqual([]);
  const id = (await ticket.textContent())?.match(/\d+/)?.[0];
  await now.getByText("Stands", { exact: true }).waitFor(LIVE);

  const { page: shop } = technician;
  await open(shop, `/maintenance?q=${code}`);
  const reported = shop.getByRole("region", { name: "Reported" });
  await reported.getByRole("link", { name: new RegExp(`Does not start.*${id}`) }).click();
  await shop.getByRole("button", { name: "I have seen it" }).click();
  await shop.getByRole("button", { name: "Begin the work" }).click();
  await shop.getByRole("button", { name: "It is repaired" }).click();
  await shop.getByLabel("What was done").fill("A new fuse");
  expect(await violations(shop)).toEqual([]);
  await shop.getByRole("button", { name: "Repaired", exact: true }).click();
  await shop.getByRole("button", { name: "Try it: is it right again?" }).click();
  await shop.getByRole("button", { name: "Yes, it is right" }).click();
  await shop.getByRole("button", { name: "Close it" }).click();
  await shop.getByRole("dialog").getByRole("button", { name: "Close it" }).click();
  await says(shop, "Closed");

  await now.getByText("Runs", { exact: true }).waitFor(LIVE);
  await expect.poll(() => mttr.textContent(), LIVE).toMatch(/^\d/);
  const [row] = await ask<{ restored: number; mttr_s: number }[]>(supervisor, "get_mttr", { p_machine: code });
  expect(row?.restored).toBe(1);
  const stops = await ask<{ ends_at: string | null; repair_ids: number[] }[]>(supervisor, "get_stops", {
    p_machine: code,
  });
  expect(stops.filter((one) => one.repair_ids.includes(Number(id))).every((one) => one.ends_at)).toBe(true);
  await open(shop, `/maintenance/history?machine=${code}`);
  await shop.getByRole("list", { name: "Repairs" }).getByText("Does not start").waitFor();
  expect((await filesOf(shop)).map((line) => line.includes("A new fuse"))).toEqual([false, true]);
}, 120_000);

test("a report joins the one that is open, takes a photo with it, and an old code opens nothing", async () => {
  const code = await machine("SAW");
  const { path } = await ask<{ path: string }>(supervisor, "get_machine_qr", { p_machine: code });
  const report = async (photo: boolean) => {
    const page = await passerBy();
    await page.goto(path);
    await page.getByRole("button", { name: "Leaks" }).click();
    if (photo) await page.getByLabel("Take a photo").setInputFiles(picture(await page.screenshot()));
    await page.getByRole("button", { name: "Report it" }).click();
    return page;
  };
  const first = await report(true);
  await first.getByText("The photo is there.").waitFor();
  const second = await report(false);
  await second.getByText("now it was reported 2 times").waitFor();
  const found = await ask<{ repairs: { repair: { id: number } }[] }>(technician, "get_repairs", { p_machine: code });
  expect(found.repairs.length).toBe(1);
  await open(technician.page, `/maintenance/repairs/${found.repairs[0]?.repair.id}`);
  await technician.page.getByRole("img", { name: /Photo, by the QR code/ }).waitFor();
  await addPhoto(technician.page, await first.screenshot());
  const photos = technician.page.getByRole("img", { name: /^Photo, / });
  await expect.poll(async () => (await widths(photos)).filter((one) => one > 0).length, LIVE).toBe(2);

  await open(supervisor.page, `/machine/${code}`);
  await supervisor.page.getByRole("button", { name: "Its QR code" }).click();
  await supervisor.page.getByRole("button", { name: "Make a new code" }).click();
  await says(supervisor.page, "The old code opens nothing any more.");
  await second.goto(path);
  await second.getByText("This code is not in use any more. Tell somebody of the maintenance.").waitFor();
}, 120_000);

test("an operator classifies a stop in one tap, and the OEE on another screen changes at once", async () => {
  const code = await machine("CNC");
  await states(code, [
    [40, "fault"],
    [10, "running"],
  ]);
  await open(supervisor.page, `/machine/${code}`);
  const oee = figure(supervisor.page, "OEE");
  await expect.poll(() => oee.textContent()).toMatch(/^\d/);
  const before = Number.parseFloat((await oee.textContent()) ?? "");
  const { page } = operator;
  await open(page, `/machine/${code}`);
  const stops = page.getByRole("list", { name: "Stops without a reason" });
  // Its shift began an hour before it said anything: that is a stop without data. The fault is the latest.
  const fault = stops.getByRole("listitem").first();
  await fault.getByRole("button", { name: REASON.title }).waitFor();
  expect(await violations(page)).toEqual([]);
  await fault.getByRole("button", { name: REASON.title }).click();
  await says(page, REASON.title);
  await page.getByRole("list", { name: "Stops with a reason" }).getByText(REASON.title).waitFor();
  await expect.poll(async () => Number.parseFloat((await oee.textContent()) ?? ""), LIVE).toBeGreaterThan(before);

  // Another reason, and the way back to the first one.
  await page.getByRole("button", { name: "Change", exact: true }).first().click();
  await page.getByRole("dialog").getByLabel("Comment, if any").fill("The feeder");
  await page.getByRole("dialog").getByRole("button", { name: "Jam" }).click();
  await says(page, "Jam");
  await page.getByText("The feeder").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await says(page, "Undone.");
  await page.getByRole("list", { name: "Stops with a reason" }).getByText(REASON.title).waitFor();
}, 120_000);

test("a machine that stands too long calls a supervisor on the wall, and says there who is on it", async () => {
  const code = await machine("OVEN");
  await states(code, [[15, "fault"]]);
  const wall = supervisor.page;
  await wall.goto("/andon");
  const tile = wall.getByRole("list", { name: "Machines" }).getByRole("listitem").filter({ hasText: code });
  await tile.getByText("Supervisor called").waitFor(LIVE);
  const { page } = operator;
  await open(page, `/machine/${code}`);
  await page.getByRole("button", { name: "I am on it" }).click();
  await says(page, "You are on it.");
  await tile.getByText(/ is on it$/).waitFor(LIVE);
  expect(await tile.getByText("Supervisor called").count()).toBe(0);
  await page.getByRole("button", { name: "I am on it" }).waitFor({ state: "detached" });
  expect(await violations(wall)).toEqual([]);
  await open(page, `/machines/oee?machine=${code}`);
  const figures = await filesOf(page);
  expect([figures[0]?.includes("availability"), figures.length > 1]).toEqual([true, true]);
}, 120_000);

test("from a product one comes to its counts, trends say each week, and a wrong clock is told", async () => {
  const code = await machine("FORM");
  const p_counts = Array.from({ length: 60 }, (_, n) => ({
    machine: code,
    key: `more ${n}`,
    at: ago(100 - n),
    good: 1,
  }));
  await ask(operator, "record_counts", { p_counts });
  await states(code, [[-60, "running"]]);
  const { page } = supervisor;
  await open(page, `/machines/oee?machine=${code}&by=item`);
  await page.getByRole("table", { name: "OEE" }).getByRole("button", { name: "No product said" }).click();
  const facts = page.getByRole("table", { name: "Facts" });
  await page.getByRole("button", { name: "Show more (50 shown)" }).click();
  await expect.poll(() => facts.getByRole("row").count()).toBe(1 + 8 + 60);
  await page.getByRole("button", { name: "No product said All products" }).click();
  await page.getByRole("button", { name: "States", exact: true }).click();
  await expect.poll(() => facts.getByRole("row").allTextContents()).toHaveLength(2);
  await facts.getByRole("rowheader", { name: /^Runs/ }).waitFor();
  expect(await violations(page)).toEqual([]);

  await open(page, `/machines/reliability?machine=${code}`);
  for (const of of ["MTTR", "MTBF"]) await page.getByRole("img", { name: `${of} by week.` }).waitFor();
  expect(await page.getByRole("table", { name: "By week" }).getByRole("row").count()).toBe(9);
  await page.getByRole("table", { name: "By machine" }).getByRole("rowheader", { name: code }).waitFor();

  await open(page, `/machine/${code}`);
  const notice = page.getByRole("status").filter({ hasText: "The clock of this machine is ahead." });
  await notice.getByText("1 row of the last 7 days was set aside and is in no figure.").waitFor();
}, 120_000);

test("nothing complains, and nobody else is asked", () => {
  for (const { complaints } of [operator, technician, supervisor]) expect(complaints).toEqual([]);
});
