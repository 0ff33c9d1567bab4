import type { Page } from "playwright-core";
import { untilDead } from "./queue";
import { later, post, type ShopifyOrder, shopifyOrder } from "./shop";
import { call } from "./stack";

/** A day of two bakeries: [store, cake, size, flavour, writing, first name, last name, due in days, steps done]. */
type Cake = [string, string, string, string, string, string, string, number | null, number];
const CAKES: Cake[] = [
  ["bannos", "Confetti Celebration Cake", "Medium", "Vanilla", "Happy 8th Mia", "Ava", "Nguyen", 0, 0],
  ["bannos", "Chocolate Drip Cake", "Large", "Chocolate", "Ollie is 3", "Oliver", "Smith", 1, 0],
  ["flourlane", "Lemon Drizzle Cake", "Small", "Lemon", "", "Chloé", "Martin", 2, 0],
  ["bannos", "Floral Buttercream Cake", "Medium", "Vanilla", "Happy Birthday Nana", "Noah", "O'Brien", null, 0],
  ["flourlane", "Carrot Cake", "Medium", "Carrot", "Welcome home", "Freya", "Lang", 3, 1],
  ["bannos", "Red Velvet Cake", "Small", "Red Velvet", "", "Ines", "Costa", 0, 1],
  ["bannos", "Confetti Celebration Cake", "Medium", "Vanilla", "Congratulations Priya", "Priya", "Rao", 1, 2],
  ["flourlane", "Opera Cake", "Large", "Coffee", "", "Hugo", "Blanc", 4, 2],
  ["bannos", "Chocolate Drip Cake", "Medium", "Chocolate", "30 & thriving", "Zoë", "King", 0, 3],
  ["bannos", "Unicorn Cake", "Medium", "Vanilla", "Lily is 6", "Ruth", "Adler", 2, 4],
  ["flourlane", "Pistachio Rose Cake", "Small", "Pistachio", "To Sam and Jo", "Sam", "Reed", 1, 5],
  ["bannos", "Floral Buttercream Cake", "Large", "Lemon", "Mabel, 1 year", "Kim", "Park", 3, 5],
  ["bannos", "Chocolate Drip Cake", "Small", "Caramel", "Good luck!", "Leo", "Weber", 0, 6],
  ["flourlane", "Berry Cheesecake", "Large", "Berry", "Thank you, team 7", "Nora", "Dahl", 1, 7],
];
const STEPS = [
  "handle_print_barcode",
  "complete_filling",
  "start_covering",
  "complete_covering",
  "start_decorating",
  "complete_decorating",
  "start_packing",
];

/** DD/MM/YYYY, as the demo shops write it. */
function dayIn(days: number): string {
  const plant = new Intl.DateTimeFormat("en-GB", { timeZone: "Australia/Sydney" });
  return plant.format(Date.now() + days * 86_400_000);
}

function orderOf([, title, size, flavour, writing, first_name, last_name, due]: Cake): ReturnType<typeof shopifyOrder> {
  const order = shopifyOrder();
  const [line] = order.line_items;
  if (!line) throw new Error("no line");
  const when = { name: "Local Delivery Date and Time", value: `${dayIn(due ?? 0)} 10:00–14:00` };
  const method = { name: "Delivery Method", value: size === "Large" ? "Local Delivery" : "Pickup" };
  return {
    ...order,
    note: null,
    note_attributes: due === null ? [method] : [method, when],
    customer: { first_name, last_name },
    shipping_address: null,
    billing_address: null,
    line_items: [
      {
        ...line,
        title,
        sku: "CAKE-DEMO",
        variant_title: `${size} / ${flavour}`,
        quantity: 1,
        current_quantity: 1,
        properties: writing ? [{ name: "Writing on cake", value: writing }] : [],
      },
    ],
  };
}

/** The version of a ticket; undefined while there is none. */
async function versionOf(page: Page, p_scan: string): Promise<number | undefined> {
  const found = await call<{ order_row?: { version: number } | null }>(page, "get_order_for_scan", { p_scan });
  return found.order_row?.version;
}

async function until(done: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

/** A busy day through the demo shops: orders in every stage, one changed, one to review, one webhook that was given up. */
export async function fillPlant(operator: Page, supervisor: Page): Promise<void> {
  const posted: { id: string; store: string; order: ShopifyOrder; steps: number }[] = [];
  for (const cake of CAKES) {
    const [store, steps] = [cake[0], cake[8]];
    const order = orderOf(cake);
    await post("orders/create", order, store);
    posted.push({ id: `${store}-${order.order_number}`, store, order, steps });
  }
  const staff = await call<{ user_id: string; full_name: string }[]>(operator, "list_staff", {});
  const makers = staff.filter((one) => /^(Olga|Tom|Sami)/.test(one.full_name));
  for (const [n, { id, steps }] of posted.entries()) {
    await until(async () => Boolean(await versionOf(operator, id)), id);
    for (const step of STEPS.slice(0, steps)) await call(operator, step, { p_order_id: id });
    const maker = makers[n % 4];
    if (maker) await call(supervisor, "assign_staff", { p_order_id: id, p_staff_id: maker.user_id });
    if (steps === 6) await call(operator, "set_storage", { p_order_id: id, p_storage: "Kitchen Coolroom" });
  }
  // Not every computer that takes the pictures has a font with emoji.
  const plain = { p_order_id: "bannos-M1", p_cake_writing: "Happy 40th Zoë" };
  await call(supervisor, "update_order_core", { ...plain, p_version: await versionOf(supervisor, "bannos-M1") });
  const changed = posted[8];
  const [line] = changed?.order.line_items ?? [];
  if (!changed || !line) throw new Error("no order to change");
  const properties = [{ name: "Writing on cake", value: "31 & thriving" }];
  await post("orders/updated", { ...changed.order, ...later(), line_items: [{ ...line, properties }] }, changed.store);
  await untilDead((await post("orders/create", '{"id": 1, "name": "#18634", "line_items": 7', "flourlane")).inbox_id);
}
