import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { call, open, wedge } from "./stack";
import {
  answer,
  begin,
  end,
  item,
  kits,
  operator,
  RULES,
  RUN,
  read,
  says,
  statusOf,
  supervisor,
  units,
  variant,
} from "./workshop";

beforeAll(begin);
afterAll(end);

test("ten units with a scanner: seven are packed, three are stopped, each says what to do", async () => {
  const sns = await units(10);
  const [failed, held, wrongKit] = [sns[2], sns[5], sns[8]] as [string, string, string];
  const codes = await kits(10);
  const [foreign] = (await kits(1, { variants: ["SENSE-AU"] })) as [string];
  await call(operator.page, "record_test_result", { p_sn: failed, p_result: "PASS", p_metrics: { vbat: 3.1 } });
  await call(supervisor.page, "hold_unit", { p_sn: held, p_reason: "Scratched display" });
  const { page } = operator;
  await open(page, "/station/pack");
  const stopped: Record<string, [RegExp, string, string]> = {
    [failed]: [
      /The test final failed\./,
      "TEST_NOT_PASS",
      "Find the fault, send it to rework if needed, and test it again.",
    ],
    [held]: [/is on hold: Scratched display/, "UNIT_ON_HOLD", "Leave it until somebody releases it."],
    [wrongKit]: [/is for SENSE-AU, not for/, "PACK_KIT_WRONG_VARIANT", "Take a kit for this variant and scan it."],
  };
  for (const [n, sn] of sns.entries()) {
    await wedge(page, sn, 5);
    await wedge(page, sn === wrongKit ? foreign : (codes[n] ?? ""), 5); // right after: nothing waits for the page
    const stop = stopped[sn];
    if (!stop) {
      await says(page, `${sn} is packed.`);
      expect(await answer(page).getAttribute("data-bench-tone")).toBe("ok");
      continue;
    }
    const [words, blocker, next] = stop;
    await says(page, words);
    expect(await answer(page).getAttribute("data-bench-tone")).toBe("bad");
    const row = page.locator(`[data-blocker=${blocker}]`);
    await row.getByText(next).waitFor();
    expect(await page.getByRole("button", { name: "Pack", exact: true }).isDisabled()).toBe(true);
    if (sn === failed) {
      await row.getByRole("link", { name: "To the test station" }).waitFor();
      expect(await violations(page)).toEqual([]);
    }
  }
  const states = await Promise.all(sns.map(statusOf));
  expect(states.filter((state) => state === "PACKED")).toHaveLength(7);
  expect([await statusOf(failed), await statusOf(held), await statusOf(wrongKit)]).toEqual([
    "FLASHED",
    "ON_HOLD",
    "TEST_PASS",
  ]);
  const refused = (await read(failed)).events.find((one) => one.event === "unit.pack_refused");
  expect(refused?.payload.codes).toEqual(["TEST_NOT_PASS"]);
  await wedge(page, wrongKit, 5);
  await says(page, wrongKit);
  await wedge(page, codes[8] ?? "", 5);
  await says(page, `${wrongKit} is packed.`);
  await wedge(page, "TAKT-OK", 5);
  await says(page, `${wrongKit} is in stock.`);
  expect(await statusOf(wrongKit)).toBe("IN_FINISHED_STOCK");
}, 120_000);

test("flash, test and assembly are done with scans; what is wrong says expected and actual", async () => {
  const [part, board] = [`T-${RUN}-CELL`, `T-${RUN}-PCB`];
  for (const sku of [part, board]) await item(sku);
  await call(operator.page, "upsert_lot", { p_sku: part, p_code: `L-${RUN}` });
  const code = `T-${RUN}-PARTS`;
  const needs = [part, board].map((sku) => ({ sku, quantity: sku === part ? 2 : 1 }));
  await variant(code, { ...RULES, required_components: needs });
  const [sn] = (await units(1, { upTo: "assigned", code })) as [string];
  const { page } = operator;

  await open(page, "/station/flash");
  await wedge(page, "no-unit", 5);
  await says(page, "That is no unit.");
  await says(page, "the serial of a unit");
  await wedge(page, sn, 5);
  await page.getByLabel("Firmware version").fill("1.4.7");
  await page.getByLabel("Hardware revision").fill("B");
  await wedge(page, "TAKT-OK", 5);
  await says(page, `${sn} is flashed.`);
  expect((await read(sn)).unit.fw_version).toBe("1.4.7");

  await open(page, "/station/test");
  await wedge(page, sn, 5);
  await page.getByLabel("vbat (V)").fill("3.1");
  await page.getByRole("button", { name: "Passed", exact: true }).click();
  await says(page, `${sn} failed: vbat`);
  await says(page, "vbat: 3.5 to 4.2 V");
  await page.getByLabel("vbat (V)").fill("3.8");
  for (const _ of ["read", "read twice"]) await wedge(page, "TAKT-OK", 5);
  await says(page, `${sn} passed.`);
  const { tests } = await read(sn);
  expect(tests.map((one) => [one.claimed, one.result])).toEqual([
    ["PASS", "PASS"],
    ["PASS", "FAIL"],
  ]);

  await open(page, "/station/assembly");
  await wedge(page, sn, 5);
  const parts = page.getByRole("list", { name: "Parts of this unit" });
  await parts.getByText("0 of 2").waitFor();
  await wedge(page, `l-${RUN.toLowerCase()}`, 5);
  await parts.getByText("2 of 2").waitFor();
  await wedge(page, "PCB-000815", 5);
  await says(page, "PCB-000815: which part is it?");
  await page.getByRole("button", { name: board, exact: true }).click();
  await says(page, "Serial PCB-000815");
  await parts.getByText("1 of 1").waitFor();
  await wedge(page, "TAKT-OK", 5);
  await says(page, `${sn} is assembled.`);
  expect(await statusOf(sn)).toBe("ASSEMBLED");
}, 120_000);
