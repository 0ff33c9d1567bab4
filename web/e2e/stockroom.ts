import type { Page } from "playwright-core";
import { call, open } from "./stack";

/** Part of the SKUs of this run, so that runs do not meet. */
export const RUN = Date.now().toString(36).toUpperCase();

/** An item of this run's own, made by a planner, perhaps with stock at the default place. */
export async function item(planner: Page, name: string, onHand = 0, fields: object = {}): Promise<string> {
  const sku = `T-${RUN}-${name}`;
  await call(planner, "upsert_item", { p_sku: sku, p_title: `Test ${name}`, p_is_listed: false, ...fields });
  if (onHand) await call(planner, "receive_stock", { p_sku: sku, p_quantity: onHand, p_location: "main" });
  return sku;
}

interface Stock {
  on_hand: number;
  locations: Record<string, number>;
}
export const stockOf = (page: Page, sku: string) => call<Stock>(page, "get_item", { p_sku: sku });

export async function openItem(page: Page, sku: string): Promise<void> {
  await open(page, `/stock/item?sku=${encodeURIComponent(sku)}`);
  await page.getByRole("region", { name: "Movements" }).waitFor();
}
export const movements = (page: Page) => page.getByRole("list", { name: "Movements" }).getByRole("listitem");
