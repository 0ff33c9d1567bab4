import { expect, test } from "vitest";
import { batchesOf } from "./import-batches";

const row = (external_id: string | null, code: string | null = null) => ({ external_id, code });

test("rows go in batches, in their order", () => {
  expect(batchesOf([row("A"), row("B"), row("C")], 2)).toEqual([[0, 1], [2]]);
  expect(batchesOf([], 2)).toEqual([]);
});

test("rows that name one order go together, by its number whatever the case, or by its code", () => {
  expect(batchesOf([row("A"), row("B"), row("C"), row(" a ")], 2)).toEqual([
    [0, 3],
    [1, 2],
  ]);
  expect(batchesOf([row("A", "P-1"), row("B", "P-2"), row("C", "P-2"), row("P-1")], 2)).toEqual([
    [0, 3],
    [1, 2],
  ]);
  expect(batchesOf([row("A", "P-1"), row("B", "P-1"), row("b", "P-2"), row("C", "P-2")], 2)).toEqual([[0, 1, 2, 3]]);
});

test("rows without a number are of no order together", () => {
  expect(batchesOf([row(null), row(""), row(null)], 2)).toEqual([[0, 1], [2]]);
});
