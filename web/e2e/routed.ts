import type { Browser } from "playwright-core";
import { call, enter, launch, type Person } from "./stack";

export const RUN = Date.now().toString(36).toUpperCase();
/** The work centres of this run's own plant, in the order of the work. */
export const [SAW, BENCH, PACK] = [`SAW-${RUN}`, `BENCH-${RUN}`, `PACK-${RUN}`];
export const [TABLE, PANEL, LEG] = [`TABLE-${RUN}`, `PANEL-${RUN}`, `LEG-${RUN}`];

let browser: Browser;
export let operator: Person;
export let planner: Person;
export let manager: Person;

/** Signs everybody in, and makes a plant: a panel is sawn, four legs are put under it, the table is packed. */
export async function begin(): Promise<void> {
  browser = await launch();
  [operator, planner, manager] = (await Promise.all(
    ["operator", "planner", "manager"].map((role) => enter(browser, role)),
  )) as [Person, Person, Person];
  const steps = [
    { step: `CUT-${RUN}`, title: "Cutting", kind: "cut", centre: SAW, type: "PRE_CUT", materials: [PANEL] },
    { step: `JOIN-${RUN}`, title: "Assembly", kind: "assemble", centre: BENCH, type: "ASSEMBLY", materials: [LEG] },
    { step: `WRAP-${RUN}`, title: "Packing", kind: "pack", centre: PACK, type: "PACKAGING", materials: [] },
  ];
  for (const [index, { step, title, kind, centre, type }] of steps.entries()) {
    const [p_sequence, p_title] = [900 + index, `${title} ${RUN}`];
    await ask(planner, "save_process_step", { p_code: step, p_title, p_sequence, p_kind: kind });
    const place = { p_code: centre, p_title: `${p_title} place`, p_step: step, p_type: type, p_site: "main" };
    await ask(planner, "save_work_centre", place);
  }
  for (const sku of [TABLE, PANEL, LEG])
    await ask(planner, "upsert_item", { p_sku: sku, p_title: `Item ${sku}`, p_is_listed: false });
  for (const p_sku of [PANEL, LEG]) await ask(planner, "receive_stock", { p_sku, p_quantity: 500 });
  await ask(planner, "save_requirements", {
    p_parent_sku: TABLE,
    p_lines: [
      { sku: PANEL, quantity: 1 },
      { sku: LEG, quantity: 4 },
    ],
  });
  const p_steps = steps.map(({ step, materials }) => ({ step, materials, run_min: 1 }));
  await ask(planner, "save_routing", { p_sku: TABLE, p_steps });
}
export const end = () => browser?.close();

/** Calls an RPC and throws its refusal. */
export async function ask<T>(who: Person, name: string, args: object): Promise<T> {
  const answer = await call<T & { hint?: string; code?: string; message?: string }>(who.page, name, args);
  if (answer?.hint !== undefined && answer.message !== undefined) throw new Error(`${name}: ${answer.message}`);
  return answer;
}

/** Code of a new released order of tables. */
export async function produce(quantity: number, fields: object = {}): Promise<string> {
  const given = { p_product_sku: TABLE, p_quantity: quantity, p_site: "main", ...fields };
  const made = await ask<{ order_row: { code: string } }>(planner, "create_production_order", given);
  await ask(planner, "release_order", { p_code: made.order_row.code });
  return made.order_row.code;
}

export interface StepNow {
  step: string;
  sequence: number;
  status: string;
  good: number;
  scrap: number;
}
interface Read {
  order_row: { status: string };
  steps: StepNow[];
  replenishments: { code: string; quantity: number; status: string }[];
}
export const read = (code: string) => ask<Read>(planner, "get_production_order", { p_code: code });
