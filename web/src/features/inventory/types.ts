import type { Stage } from "@/lib/types";

export type StockState = "enough" | "low" | "promised" | "out" | "negative" | "not_stocked";

/** An item with its stock; quantities in its uom. */
export interface Item {
  sku: string;
  title: string;
  kind: string;
  uom: string;
  supplier: string | null;
  unit_cost: number | null;
  min_stock: number;
  is_stocked: boolean;
  forbid_negative: boolean;
  is_listed: boolean;
  is_active: boolean;
  version: number;
  /** At the free places. */
  on_hand: number;
  /** In progress or in quarantine. */
  held: number;
  /** Promised to orders. */
  reserved: number;
  /** Available: on hand less promised. */
  ats: number;
  is_low: boolean;
  /** On hand by the code of the place. */
  locations: Record<string, number>;
  state: StockState;
}

export interface ItemPage {
  items: Item[] | null;
  next_cursor: string | null;
  total: number | null;
}

export interface Place {
  code: string;
  site: string;
  title: string;
  kind: string;
  is_free: boolean;
  is_default: boolean;
  is_active: boolean;
}

/** What an order takes from the shelf when it arrives: a line with these words, so much of an item. */
export interface DeductionRule {
  id: number;
  store: string | null;
  applies_to: "accessory" | "product" | "any";
  match: "exact" | "keyword";
  pattern: string;
  sku: string;
  quantity: number;
  priority: number;
  is_active: boolean;
  item: { title: string; uom: string };
}

/** A movement; `balance` is what lay at the place right after it. */
export interface Movement {
  id: number;
  at: string;
  sku: string;
  location: string;
  kind: string;
  quantity: number;
  balance: number;
  reason: string | null;
  ref_stream: string | null;
  ref_id: string | null;
  unit_cost: number | null;
  actor_name: string | null;
  batch_id: number | null;
  reverses: number | null;
  reversed_by: number | null;
}

export interface LedgerPage {
  entries: Movement[] | null;
  next_cursor: string | null;
}

/** What a command that moves stock answers. */
export interface StockChange {
  changed: boolean;
  txn_ids: number[];
  sku: string;
  location: string;
  balance: number;
  on_hand: number;
  ats: number;
}

export interface Requirement {
  level: number;
  path: string[];
  sku: string;
  title: string;
  quantity: number;
  stage: Stage | null;
  is_optional: boolean;
  /** Null for what the reader is counting. */
  on_hand: number | null;
  ats: number | null;
}

/** A row of the bill of materials of an item, or of the products of a store with this title. */
export interface RequirementRow {
  id: number;
  parent_sku: string | null;
  store: string | null;
  match: "exact" | "keyword";
  title: string | null;
  variant: string | null;
  sku: string;
  quantity: number;
  stage: Stage | null;
  is_optional: boolean;
  item: { title: string };
}

export interface Alarm {
  kind: string;
  severity: "error" | "warning";
  sku: string | null;
  order_id: string | null;
  message: string;
  since: string | null;
  details: Record<string, unknown>;
}

export interface Push {
  store: string;
  sku: string;
  is_out: boolean;
  state: string;
  queued_at: string;
  pushed_at: string | null;
  locations: number | null;
  last_error: string | null;
}

export interface Count {
  id: number;
  location: string;
  status: "open" | "recount" | "approval" | "applied" | "cancelled";
  note: string | null;
  started_by: string | null;
  started_at: string;
  submitted_at: string | null;
  decided_by: string | null;
  closed_at: string | null;
}

/** `expected` and `variance` are null until the figure was submitted. */
export interface CountLine {
  sku: string;
  title: string;
  uom: string;
  status: "open" | "recount" | "approval" | "applied";
  counted: number | null;
  counted_at: string | null;
  expected: number | null;
  variance: number | null;
  moved: boolean;
  rounds: number;
}

export interface CountAnswer {
  count_row: Count;
  lines: CountLine[];
}

export type ImportKind = "items" | "stock";

export interface ImportRow {
  row: number;
  ok: boolean;
  result: string;
  sku: string | null;
  errors: { field: string | null; code: string; message: string }[];
}

export interface ImportAnswer {
  applied: boolean;
  batch_id: number | null;
  counts: Record<string, number>;
  rows: ImportRow[];
}

/** An import that was applied. */
export interface Imported {
  id: number;
  kind: ImportKind;
  row_count: number;
  actor_id: string | null;
  created_at: string;
  undone_at: string | null;
}
