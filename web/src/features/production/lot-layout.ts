import type { TraceEntry } from "../units/types";
import type { LotEdge, LotGenealogy } from "./lot-types";

export const NODE = { width: 216, height: 76 };
const GAP = { x: 96, y: 14 };
/** So many below each other; the rest is one node that says how many. */
const MOST = 8;

export interface Placed {
  id: string;
  /** null: the lot itself, or the rest of a column. */
  entry: TraceEntry | null;
  /** How many things this node stands for that are not drawn. */
  hidden: number;
  x: number;
  y: number;
}
export interface Line {
  id: string;
  from: Placed;
  to: Placed;
  quantity: number;
  isRemoved: boolean;
  /** The only one that leaves `from`: its quantity stands there, else at `to`. */
  isAlone: boolean;
}
export interface Drawing {
  nodes: Placed[];
  lines: Line[];
  width: number;
  height: number;
}

type Links = Map<number, number[]>;

/** The longest way from `start` to each node; what comes round in a circle counts once. */
function depths(start: number, nodes: Set<number>, towards: Links): Map<number, number> {
  const known = new Map([[start, 0]]);
  const onWay = new Set<number>();
  const depth = (node: number): number => {
    const found = known.get(node);
    if (found !== undefined) return found;
    onWay.add(node);
    const near = (towards.get(node) ?? []).filter((one) => !onWay.has(one) && (one === start || nodes.has(one)));
    const far = 1 + Math.max(0, ...near.map(depth));
    onWay.delete(node);
    known.set(node, far);
    return far;
  };
  for (const node of nodes) depth(node);
  return known;
}

function linksOf(edges: LotEdge[], from: "parent" | "child", to: "parent" | "child"): Links {
  const links: Links = new Map();
  for (const edge of edges) links.set(edge[from], [...(links.get(edge[from]) ?? []), edge[to]]);
  return links;
}

/** What it is made of to the left, what it went into to the right, step by step. `start` is drawn in the middle. */
export function drawn({ node, made_of, went_into, edges }: LotGenealogy): Drawing {
  const start = node ?? 0;
  const below = new Map((made_of ?? []).map((one) => [one.node, one]));
  const above = new Map((went_into ?? []).filter((one) => !below.has(one.node)).map((one) => [one.node, one]));
  const [up, down] = [linksOf(edges, "parent", "child"), linksOf(edges, "child", "parent")];
  const left = depths(start, new Set(below.keys()), up);
  const right = depths(start, new Set(above.keys()), down);
  const columns = new Map<number, TraceEntry[]>();
  const put = (column: number, entry: TraceEntry) => columns.set(column, [...(columns.get(column) ?? []), entry]);
  for (const [id, entry] of below) put(-(left.get(id) ?? 1), entry);
  for (const [id, entry] of above) put(right.get(id) ?? 1, entry);

  const spots = new Map<number, Placed>();
  const middle: Placed = { id: "start", entry: null, hidden: 0, x: 0, y: 0 };
  spots.set(start, middle);
  const nodes = [middle];
  for (const column of [...columns.keys()].sort((a, b) => Math.abs(a) - Math.abs(b))) {
    const towards = column < 0 ? up : down;
    nodes.push(...stack(column, nearest(columns.get(column) ?? [], towards, spots), spots));
  }
  return framed(nodes, joined(edges, spots));
}

/** Beside what they belong to, so that few lines cross. */
function nearest(entries: TraceEntry[], towards: Links, spots: Map<number, Placed>): TraceEntry[] {
  const height = (entry: TraceEntry) => {
    const near = (towards.get(entry.node) ?? []).flatMap((one) => spots.get(one)?.y ?? []);
    return near.length === 0 ? 0 : near.reduce((all, y) => all + y, 0) / near.length;
  };
  return entries
    .map((entry) => ({ entry, y: height(entry) }))
    .sort((a, b) => a.y - b.y || a.entry.kind.localeCompare(b.entry.kind) || a.entry.key.localeCompare(b.entry.key))
    .map(({ entry }) => entry);
}

/** One column, centred; what is too much becomes one node. */
function stack(column: number, entries: TraceEntry[], spots: Map<number, Placed>): Placed[] {
  const shown = entries.length > MOST ? entries.slice(0, MOST - 1) : entries;
  const rest = entries.slice(shown.length);
  const count = shown.length + (rest.length > 0 ? 1 : 0);
  const x = column * (NODE.width + GAP.x);
  const y = (row: number) => (row - (count - 1) / 2) * (NODE.height + GAP.y);
  const placed: Placed[] = shown.map((entry, row) => ({ id: String(entry.node), entry, hidden: 0, x, y: y(row) }));
  for (const [row, entry] of shown.entries()) spots.set(entry.node, placed[row] as Placed);
  if (rest.length === 0) return placed;
  const more: Placed = { id: `more${column}`, entry: null, hidden: rest.length, x, y: y(count - 1) };
  for (const entry of rest) spots.set(entry.node, more);
  return [...placed, more];
}

function joined(edges: LotEdge[], spots: Map<number, Placed>): Line[] {
  const lines = new Map<string, Line>();
  for (const edge of edges) {
    const [from, to] = [spots.get(edge.parent), spots.get(edge.child)];
    if (!from || !to || from === to) continue;
    const id = `${from.id}>${to.id}`;
    const isRemoved = edge.removed_at !== null && (lines.get(id)?.isRemoved ?? true);
    const quantity = Number(edge.quantity) + (lines.get(id)?.quantity ?? 0);
    lines.set(id, { id, from, to, quantity, isRemoved, isAlone: true });
  }
  const leaving = new Map<string, number>();
  for (const { from } of lines.values()) leaving.set(from.id, (leaving.get(from.id) ?? 0) + 1);
  return [...lines.values()].map((line) => ({ ...line, isAlone: leaving.get(line.from.id) === 1 }));
}

/** Moved so that everything is right of and below nought. */
function framed(nodes: Placed[], lines: Line[]): Drawing {
  const [left, top] = [Math.min(...nodes.map((one) => one.x)), Math.min(...nodes.map((one) => one.y))];
  for (const one of nodes) {
    one.x -= left;
    one.y -= top;
  }
  return {
    nodes: nodes.sort((a, b) => a.x - b.x || a.y - b.y),
    lines,
    width: Math.max(...nodes.map((one) => one.x)) + NODE.width,
    height: Math.max(...nodes.map((one) => one.y)) + NODE.height,
  };
}
