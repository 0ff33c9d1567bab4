import { expect, test } from "vitest";
import type { TraceEntry } from "../units/types";
import { drawn } from "./lot-layout";
import type { LotEdge, LotGenealogy } from "./lot-types";

const entry = (node: number): TraceEntry => ({
  node,
  kind: "lot",
  key: `L${node}`,
  sku: "S",
  title: null,
  status: null,
  held_at: null,
  hold_reason: null,
  details: {},
});
const edge = (parent: number, child: number, quantity = 1): LotEdge => ({ parent, child, quantity, removed_at: null });
const of = (given: Partial<LotGenealogy>): LotGenealogy => ({
  node: 1,
  made_of: [],
  went_into: [],
  edges: [],
  loops: [],
  is_complete: true,
  ...given,
});
const places = (given: Partial<LotGenealogy>) => new Map(drawn(of(given)).nodes.map((one) => [one.id, one]));

test("a lot that nothing was done with stands alone", () => {
  const { nodes, lines } = drawn(of({ node: null, made_of: null, went_into: null }));
  expect(nodes).toMatchObject([{ id: "start", x: 0, y: 0 }]);
  expect(lines).toEqual([]);
});

test("what went in is left of what it went into, by the longest way", () => {
  const found = places({
    made_of: [entry(2), entry(3)],
    went_into: [entry(4)],
    edges: [edge(2, 1), edge(3, 2), edge(3, 1), edge(1, 4)],
  });
  const x = (id: string) => found.get(id)?.x ?? Number.NaN;
  expect(x("3")).toBeLessThan(x("2"));
  expect(x("2")).toBeLessThan(x("start"));
  expect(x("start")).toBeLessThan(x("4"));
});

test("what comes round in a circle is drawn once", () => {
  const { nodes, lines } = drawn(
    of({ made_of: [entry(2)], went_into: [entry(2)], edges: [edge(2, 1), edge(1, 2)], loops: [2] }),
  );
  expect(nodes.map((one) => one.id)).toEqual(["2", "start"]);
  expect(lines.map((one) => one.id).sort()).toEqual(["2>start", "start>2"]);
});

test("what is too much is one node that says how many, with all of its quantities", () => {
  const many = Array.from({ length: 20 }, (_, n) => entry(n + 10));
  const { nodes, lines } = drawn(of({ went_into: many, edges: many.map((one) => edge(1, one.node, 2)) }));
  expect(nodes.length).toBe(9);
  expect(nodes.find((one) => one.hidden > 0)).toMatchObject({ id: "more1", hidden: 13 });
  expect(lines.find((one) => one.to.hidden > 0)).toMatchObject({ quantity: 26, isAlone: false });
  expect(lines.reduce((all, one) => all + one.quantity, 0)).toBe(40);
});
