import { expect, test } from "vitest";
import type { Order } from "@/lib/types";
import { boardSearch } from "./search";
import { allDay, nextStep } from "./stage";

const cake = (fields: Partial<Order>) => ({ stage: "Filling", item_qty: 1, product_title: "Cake", ...fields }) as Order;

test("all-day totals count pieces per kind, most first", () => {
  const orders = [
    cake({ size: "Medium", flavour: "Vanilla", item_qty: 2 }),
    cake({ size: "Small", flavour: "Lemon" }),
    cake({ size: "Medium", flavour: "Vanilla" }),
    cake({ product_title: "Candles" }),
  ];
  expect(allDay(orders).map(({ key, count }) => `${count} × ${key}`)).toEqual([
    "3 × Medium Vanilla",
    "1 × Candles",
    "1 × Small Lemon",
  ]);
});

test("the step offered first follows the ticket", () => {
  expect(nextStep(cake({ filling_started_at: null }))?.rpc).toBe("handle_print_barcode");
  expect(nextStep(cake({ stage: "Covering", covering_started_at: "2026-01-01T00:00:00Z" }))?.rpc).toBe(
    "complete_covering",
  );
  expect(nextStep(cake({ stage: "Complete" }))).toBeNull();
  expect(nextStep(cake({ cancelled_at: "2026-01-01T00:00:00Z" }))).toBeNull();
});

test("an address holds only known filters", () => {
  expect(boardSearch({ stage: "Packing", priority: "Urgent", q: 18617, other: 1 })).toEqual({
    stage: "Packing",
    q: "18617",
  });
});
