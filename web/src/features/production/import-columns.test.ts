import { expect, test } from "vitest";
import { mapped, propose, twice } from "./import-columns";

test("columns are known by their own names and by those of other systems, each field once", () => {
  expect(propose(["Order No.", "external_id", "Artikel", "Menge", "Due date", "Colour"])).toEqual({
    external_id: "external_id",
    Artikel: "product_sku",
    Menge: "quantity",
    "Due date": "due_date",
  });
  expect(propose(["Order", "Order ID", "SKU", "Item"])).toEqual({ Order: "external_id", SKU: "product_sku" });
  expect(propose(["constructor", "", "Größe"])).toEqual({});
});

test("a field that two columns go into is named", () => {
  expect(twice({ a: "quantity", b: "quantity", c: "site" })).toEqual(["quantity"]);
  expect(twice({ a: "quantity" })).toEqual([]);
});

test("rows say only what is mapped and filled in", () => {
  const rows = [{ Order: "P-1", Menge: "4", Colour: "red", Due: null }];
  expect(mapped(rows, { Order: "external_id", Menge: "quantity", Due: "due_date" })).toEqual([
    { external_id: "P-1", quantity: "4" },
  ]);
});
