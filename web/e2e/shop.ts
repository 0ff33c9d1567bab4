import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, stack, status } from "./stack";

const CASES = join(ROOT, "tests", "fixtures", "shopify", "synthetic_own_work");

interface Line {
  id: number;
  quantity: number;
  current_quantity: number;
  properties: { name: string; value: string }[];
  [field: string]: unknown;
}
/** A Shopify order as its webhooks carry it. */
export interface ShopifyOrder {
  id: number;
  name: string;
  updated_at: string;
  line_items: Line[];
  [field: string]: unknown;
}

const FIRST = 100_000 + (Math.floor(Date.now() / 100) % 800_000); // not those of an earlier run
let taken = 0;

/** Two medium vanilla cakes, a gelato cake and a candle, as a new order with a number that was never used. */
export function shopifyOrder(changes: Partial<ShopifyOrder> = {}): ShopifyOrder & { order_number: number } {
  taken += 1;
  const text = readFileSync(join(CASES, "orders_create__web_two_cakes_gelato_accessory.json"), "utf8");
  const order = JSON.parse(text) as ShopifyOrder;
  const number = FIRST + taken;
  return { ...order, id: 5_600_000_000_000 + number, order_number: number, name: `#${number}`, ...later(), ...changes };
}

/** What the shop says when an order was touched: each time is after the one before. */
export function later(): { updated_at: string } {
  taken += 1;
  return { updated_at: new Date(Date.now() + taken).toISOString() };
}

/** Posts a webhook of the demo shop, signed with its secret. `payload` as text is sent as it is. */
export async function post(topic: string, payload: object | string, store = "bannos"): Promise<{ inbox_id: number }> {
  const shop = status().demo_shops?.find((one) => one.shop === store);
  if (!shop) throw new Error(`The stack has no demo shop ${store}. Start one with: takt up --demo`);
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  const answer = await fetch(`${stack().url}/webhooks/shopify/${store}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-shopify-topic": topic,
      "x-shopify-shop-domain": "example-cakes.myshopify.com",
      "x-shopify-hmac-sha256": createHmac("sha256", shop.secret).update(body).digest("base64"),
      "x-shopify-webhook-id": randomUUID(),
      "x-shopify-api-version": "2026-10",
    },
    body,
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { inbox_id: number };
}
