import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { begin, CENTRE, end, filesOf, machine, operator, says, supervisor, technician } from "./machine-park";
import { ask } from "./routed";
import { open } from "./stack";

beforeAll(begin, 120_000);
afterAll(end);

const LIVE = { timeout: 20_000 };

test("a downtime is entered by hand; standing and running again are one tap each", async () => {
  const code = await machine("LATHE");
  const { page } = operator;
  await open(page, `/machine/${code}`);
  // Without a network: it stands since the tap, not since the network was back.
  await operator.context.setOffline(true);
  await page.getByRole("button", { name: "It stands" }).click();
  await page.getByText(/^No answer yet: It stands, /).waitFor();
  const tapped = Date.now();
  await operator.context.setOffline(false);
  const now = page.getByRole("region", { name: "Now" });
  await now.getByText("Stands", { exact: true }).waitFor(LIVE);
  await page.getByText(/^No answer yet: It stands, /).waitFor({ state: "detached" });
  const given = await ask<{ starts_at: string; kind: string }[]>(supervisor, "get_stops", { p_machine: code });
  expect(given.filter(({ kind, starts_at }) => kind === "stop" && Date.parse(starts_at) > tapped)).toEqual([]);
  await page.getByRole("button", { name: "It runs again" }).first().click();
  await now.getByText("Runs", { exact: true }).waitFor();
  await open(page, `/machines/stops?machine=${code}`);
  await page.getByRole("button", { name: "Enter a downtime" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").selectOption("jam");
  const at = (await dialog.getByLabel("It stood from").inputValue()) || "";
  const earlier = new Date(Date.parse(`${at}Z`) - 30 * 60_000).toISOString().slice(0, 16);
  await dialog.getByLabel("It stood from").fill(earlier);
  await dialog
    .getByLabel("It stood until")
    .fill(new Date(Date.parse(`${at}Z`) - 20 * 60_000).toISOString().slice(0, 16));
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Enter it" }).click();
  await says(page, "The downtime is on record.");
  await page.getByRole("button", { name: "Also those with a reason" }).click();
  await page.getByRole("list", { name: "Stops" }).getByText("Jam").first().waitFor();
  const lines = await filesOf(page);
  expect(lines[0]).toContain("machine");
  expect(lines.filter((line) => line.includes(code) && line.includes("jam")).length).toBe(1);
}, 120_000);

test("a shift is handed over by one person and taken by another", async () => {
  const { page } = operator;
  await open(page, `/machines/handover?centre=${CENTRE}`);
  await page.getByLabel("What the next shift has to know").fill("Watch the feeder");
  await page.getByRole("button", { name: "Sign and hand over" }).click();
  await says(page, "day is handed over.");
  expect(await page.getByRole("button", { name: "I have read it and take the shift" }).count()).toBe(0);
  const next = supervisor.page;
  await open(next, `/machines/handover?centre=${CENTRE}`);
  await next.getByText("Watch the feeder").waitFor();
  await next.getByRole("button", { name: "I have read it and take the shift" }).click();
  await says(next, "You have the shift.");
  await page.getByText(/^taken by/).waitFor(LIVE);
}, 120_000);

test("a stop is planned and taken back; two shifts at once are refused in the server's words", async () => {
  const code = await machine("MILL");
  const { page } = supervisor;
  await open(page, `/machines/calendar?centre=${CENTRE}`);
  await page.getByText("(in force)").waitFor();
  await page.getByRole("button", { name: "Plan a stop" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Machine").selectOption(code);
  await dialog.getByLabel("It stands from").fill("2027-03-01T10:00");
  await dialog.getByLabel("It stands until").fill("2027-03-01T11:00");
  await dialog.getByLabel("Note, if any").fill("Talk about safety");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Plan it" }).click();
  const planned = page.getByRole("list", { name: "Planned stops" }).getByRole("listitem").filter({ hasText: code });
  await planned.getByText("1 Mar 2027, 10:00 am").waitFor();
  await planned.getByRole("button", { name: "Take it back" }).click();
  await planned.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Change the shifts" }).click();
  await dialog.getByRole("button", { name: "Add a shift" }).click();
  await dialog.getByLabel("Name of the shift").last().fill("Early");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Save the shifts" }).click();
  await says(page, /^The shifts (Early and Day|Day and Early) are at the same time\.$/);
}, 120_000);

test("nothing complains, and nobody else is asked", () => {
  for (const { complaints } of [operator, technician, supervisor]) expect(complaints).toEqual([]);
});
