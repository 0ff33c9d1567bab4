import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { call, newOrder, open, wedge } from "./stack";
import {
  begin,
  end,
  item,
  kits,
  operator,
  planner,
  RULES,
  RUN,
  statusOf,
  supervisor,
  units,
  VARIANT,
  variant,
  viewer,
} from "./workshop";

beforeAll(begin);
afterAll(end);

test("one scan finds who is affected; everything is held by typing how much it is", async () => {
  const lot = `R-${RUN}`;
  await item(`T-${RUN}-GLUE`);
  await call(operator.page, "upsert_lot", { p_sku: `T-${RUN}-GLUE`, p_code: lot });
  const sns = await units(3);
  const codes = await kits(1);
  for (const p_sn of sns) await call(operator.page, "install_component", { p_sn, p_lot: lot });
  const [shipped] = sns as [string];
  const box = `BOX-${RUN}`;
  const { id } = await newOrder(planner.page, { p_customer_name: "=Ada Recall" });
  for (const [name, args] of [
    ["scan_pack_kit", { p_sn: shipped, p_kit_id: codes[0] }],
    ["finalize_pack", { p_sn: shipped }],
    ["move_unit_to_stock", { p_sn: shipped }],
    ["create_box", { p_code: box, p_site: "main" }],
    ["put_in_box", { p_box: box, p_what: shipped }],
    ["seal_box", { p_box: box }],
    ["ship_box", { p_box: box, p_order: id }],
  ] as const)
    await call(operator.page, name, args);

  const { page } = supervisor;
  await open(page, "/recall");
  await wedge(page, lot, 5);
  const much = page.getByRole("list", { name: "How much is affected" }).getByRole("listitem");
  await much.filter({ hasText: "Units" }).getByText("3", { exact: true }).waitFor();
  await much.filter({ hasText: "Customer orders" }).getByText("1", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Tickets (1)" }).click();
  await page.getByRole("region", { name: "Tickets" }).getByText("Ada Recall").waitFor();
  expect(await violations(page)).toEqual([]);

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export as CSV" }).click(),
  ]);
  const lines = readFileSync(await download.path(), "utf8")
    .trim()
    .split("\r\n");
  expect(lines).toHaveLength(4);
  expect(lines.find((line) => line.startsWith(shipped))).toContain(`${box}`);
  expect(lines.find((line) => line.startsWith(shipped))).toContain("'=Ada Recall");

  await page.getByRole("button", { name: "Hold all" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("Glue does not harden");
  const hold = dialog.getByRole("button", { name: "Hold all" });
  await dialog.getByLabel(/type the number of units/).fill("2");
  expect(await hold.isDisabled()).toBe(true);
  await dialog.getByLabel(/type the number of units/).fill("3");
  expect(await violations(page)).toEqual([]);
  await hold.click();
  await dialog.getByText("Units on hold now").waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  expect(await Promise.all(sns.map(statusOf))).toEqual(["ON_HOLD", "ON_HOLD", "ON_HOLD"]);
  await page.getByText("On hold: 3").waitFor();

  await open(page, "/recall");
  const recall = page.getByRole("list", { name: "Open recalls" }).getByRole("listitem").filter({ hasText: lot });
  await recall.getByText("Units on hold: 3 · Lots on hold: 1").waitFor();
  await recall.getByRole("button", { name: "Release all" }).click();
  await dialog.getByLabel("Reason").fill("It hardens after all");
  await dialog.getByLabel(/type the number of units/).fill("3");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Release all" }).click();
  await dialog.getByText("Units released").waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  await recall.waitFor({ state: "detached" });
  expect(await Promise.all(sns.map(statusOf))).not.toContain("ON_HOLD");
}, 120_000);

test("a viewer looks and cannot act", async () => {
  const [sn] = (await units(1)) as [string];
  const { page } = viewer;
  await open(page, `/units/${sn}`);
  await page.getByRole("list", { name: "Lights of the gate" }).waitFor();
  await page.getByText("Your role looks at units and does not change them.").waitFor();
  for (const name of ["Put on hold", "Scrap", "Send to rework", "Change the variant", "Print its label"])
    expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  await open(page, "/station/pack");
  await page.getByText("Your role does not allow this. Ask a supervisor.").waitFor();
  expect(await page.getByRole("link", { name: "Stations", exact: true }).count()).toBe(0);
  await open(page, `/recall?key=${sn}&kind=unit`);
  await page.getByRole("region", { name: "Units" }).getByText(sn).waitFor();
  for (const name of ["Hold all", "Export as CSV"]) expect(await page.getByRole("button", { name }).count()).toBe(0);
  await open(page, "/variants");
  await page.getByRole("list", { name: "Versions of the rules" }).waitFor();
  expect(await page.getByRole("button", { name: "New version" }).count()).toBe(0);
  const refused = await call<{ hint: string }>(page, "hold_unit", { p_sn: sn, p_reason: "no" });
  expect(refused.hint).toBe("auth.forbidden");
});

test("a unit: found by its filters, opened by a scan, held and released; a second browser sees it", async () => {
  const [sn] = (await units(1)) as [string];
  const { page } = supervisor;
  await open(page, `/units?variant=${VARIANT}&q=${sn.toLowerCase()}`);
  await page.getByRole("status").getByText("1 unit", { exact: true }).waitFor();
  await page.getByLabel("State").selectOption("TEST_PASS");
  await expect.poll(() => new URL(page.url()).searchParams.get("status")).toBe("TEST_PASS");
  await wedge(page, sn, 5);
  await page.getByRole("heading", { name: sn }).waitFor();
  await open(viewer.page, `/units/${sn}`);
  const give = async (name: string, title: string, reason: string) => {
    await page.getByRole("button", { name, exact: true }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill(reason);
    await page.getByRole("dialog").getByRole("button", { name: title }).click();
  };
  await give("Put on hold", `Put ${sn} on hold`, "Waits for engineering");
  for (const each of [page, viewer.page])
    await each.getByText("It is on hold: Waits for engineering. Leave it").first().waitFor({ timeout: 20_000 });
  await give("Release", `Release ${sn}`, "Checked");
  await page.getByText(`${sn} is released.`).waitFor();
  await give("Put on hold", `Put ${sn} on hold`, "By mistake");
  await page
    .getByRole("listitem")
    .filter({ hasText: `${sn} is on hold.` })
    .last()
    .getByRole("button", { name: "Undo" })
    .click();
  await page.getByRole("list", { name: "History" }).getByText("Taken back right after").waitFor();
  expect(await statusOf(sn)).toBe("TEST_PASS");
  await page.getByRole("img", { name: /vbat: \d+ measurements.*this unit: 3\.9/ }).waitFor();
});

test("new rules show whom they would stop before they are in force", async () => {
  const code = `T-${RUN}-RULES`;
  await variant(code, RULES);
  const [sn] = (await units(1, { code })) as [string];
  const { page } = planner;
  await open(page, `/variants?variant=${code}`);
  await page.getByRole("button", { name: "New version" }).click();
  await page.getByLabel("Firmware versions").fill(">=1.5.0 <2");
  await page.getByLabel("Note").fill("Battery fix");
  await page.getByRole("button", { name: "Show what would change" }).click();
  const stopped = page.getByRole("list", { name: "Would newly be stopped" });
  await stopped.getByText("Firmware 1.4.2 is not in >=1.5.0 <2.").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Keep as a draft" }).click();
  const versions = page.getByRole("list", { name: "Versions of the rules" }).getByRole("listitem");
  await versions.filter({ hasText: "Battery fix" }).getByRole("button", { name: "Put in force" }).click();
  await page.getByRole("dialog").getByText(sn).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Put in force" }).click();
  await versions.filter({ hasText: "Battery fix" }).getByText("In force").waitFor();
  await open(operator.page, `/units/${sn}`);
  await operator.page.locator("[data-blocker=FW_VERSION_POLICY_FAIL]").waitFor();
});

test("new units are made in a batch", async () => {
  const { page } = operator;
  await open(page, "/units");
  await page.getByRole("button", { name: "New units" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("How many").fill("3");
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Make them" }).click();
  await dialog.getByText("3 units made").waitFor();
  expect(await dialog.getByRole("list", { name: "New serials" }).getByRole("link").count()).toBe(3);
});
