import type { Browser, Page } from "playwright-core";
import { call, enter, launch, type Person } from "./stack";

export const RUN = Date.now().toString(36).toUpperCase();
/** A variant of this run's own. */
export const VARIANT = `T-${RUN}`;
export const RULES = {
  allowed_hw_revs: ["B"],
  firmware: { range: ">=1.4.0 <2" },
  required_tests: [{ test: "final", limits: { vbat: { min: 3.5, max: 4.2, unit: "V" } } }],
  required_components: [] as { sku: string; quantity: number }[],
};

let browser: Browser;
export let viewer: Person;
export let operator: Person;
export let supervisor: Person;
export let planner: Person;

/** Signs everybody in and makes the variant. */
export async function begin(): Promise<void> {
  browser = await launch();
  [viewer, operator, supervisor, planner] = (await Promise.all(
    ["viewer", "operator", "supervisor", "planner"].map((role) => enter(browser, role)),
  )) as [Person, Person, Person, Person];
  await variant(VARIANT, RULES);
}
export const end = () => browser?.close();

/** A variant of this run's own with its finished item and rules in force. */
export async function variant(code: string, rules: object): Promise<void> {
  await item(code);
  await call(planner.page, "upsert_variant", { p_code: code, p_title: code, p_product_code: "TST", p_sku: code });
  const { version } = await call<{ version: number }>(planner.page, "save_variant_rules", {
    p_variant: code,
    p_rules: rules,
  });
  await call(planner.page, "activate_variant_rules", { p_variant: code, p_version: version });
}

export const item = (sku: string) =>
  call(planner.page, "upsert_item", { p_sku: sku, p_title: sku, p_is_listed: false });

/** Kits for a variant; their codes. */
export async function kits(count: number, fields: object = {}): Promise<string[]> {
  const codes = Array.from({ length: count }, (_, n) => `K-${RUN}-${Math.random().toString(36).slice(2, 8)}-${n}`);
  const list = codes.map((kit_id) => ({ kit_id, language_set: "EN", variants: [VARIANT], ...fields }));
  await call(planner.page, "register_kits", { p_kits: list });
  return codes;
}

/** New units: assigned, and flashed and tested unless told otherwise; their serials. */
export async function units(count: number, { upTo = "tested", code = VARIANT } = {}): Promise<string[]> {
  const { page } = operator;
  const { sns } = await call<{ sns: string[] }>(page, "create_generic_units", { p_count: count, p_site: "main" });
  for (const p_sn of sns) {
    if (upTo === "new") continue;
    await call(page, "assign_unit_variant", { p_sn, p_variant: code });
    if (upTo === "assigned") continue;
    await call(page, "record_flash", { p_sn, p_fw_version: "1.4.2", p_hw_rev: "B" });
    if (upTo === "tested") await call(page, "record_test_result", { p_sn, p_result: "PASS", p_metrics: { vbat: 3.9 } });
  }
  return sns;
}

interface Read {
  unit: { status: string; kit_id: string | null; fw_version: string | null };
  tests: { result: string; claimed: string }[];
  events: { event: string; payload: { codes?: string[] } }[];
}
export const read = (sn: string) => call<Read>(planner.page, "get_unit", { p_sn: sn });
export const statusOf = async (sn: string) => (await read(sn)).unit.status;
export const answer = (page: Page) => page.getByRole("main").locator("[data-bench-tone]");
export const says = (page: Page, words: string | RegExp) => answer(page).getByText(words).first().waitFor();
