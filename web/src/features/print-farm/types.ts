import type { Database } from "@/lib/database.gen";

type Tables = Database["public"]["Tables"];

export type Part = Tables["parts"]["Row"];
export type Machine = Tables["print_machines"]["Row"];
export type Run = Tables["print_runs"]["Row"];
export type Counters = Tables["print_machine_counters"]["Row"];
export type ProductionOrder = Tables["production_orders"]["Row"];

export const PRIORITIES = ["critical", "rush", "normal"] as const;
/** The groups of the schedule, the most urgent first. */
export const GROUPS = [...PRIORITIES, "low", "stock", "minimum"] as const;
export type Group = (typeof GROUPS)[number];

/** One part and priority of the schedule. Minutes and grams of all its prints together. */
export interface ScheduleRow {
  priority: Group;
  sku: string;
  title: string;
  material: string;
  color: string | null;
  demand: number;
  /** null: the caller is counting it. */
  available: number | null;
  deficit: number;
  parts_per_print: number;
  prints_required: number;
  printing_now: number;
  print_minutes: number;
  minutes_required: number;
  grams_required: number;
  orders: { code: string; missing: number; due_date: string | null }[];
  waiting_orders: number | null;
  due_date: string | null;
  planned_start: string | null;
  planned_finish: string | null;
  machines: string[] | null;
  unplanned: number | null;
  is_late: boolean | null;
  has_file: boolean;
}

export interface PartFile {
  gcode_filename: string;
  plate: number | null;
  quantity: number;
  object_ids: number[] | null;
  notes: string | null;
}

export interface PartDemand {
  sku: string;
  title: string;
  material: string;
  color: string | null;
  demand: number;
  available: number | null;
  reserved: number | null;
  deficit: number;
  min_stock: number | null;
  parts_per_print: number;
  prints_required: number;
  printing_now: number;
  print_minutes: number;
  minutes_required: number;
  grams_required: number;
  files: PartFile[];
}

export interface Fulfilment {
  kind: "production_order" | "order";
  code: string;
  title: string | null;
  store: string | null;
  site: string;
  priority: Group;
  due_date: string | null;
  since: string;
  fulfillment_status: "unfulfilled" | "partial" | "fulfilled";
  fulfilled_at: string | null;
  lines: FulfilmentLine[] | null;
  cursor: string;
}
export interface FulfilmentLine {
  sku: string;
  title: string;
  needed: number;
  allocated: number;
  consumed: number;
  is_closed: boolean;
}

/** The prints one order still needs of a part. */
export interface OrderPrint {
  code: string;
  sku: string;
  missing: number;
  prints_required: number;
  minutes_required: number;
  has_file: boolean;
}

export interface Explanation {
  line_id: number;
  code: string;
  sku: string;
  title: string;
  needed: number;
  allocated: number;
  consumed: number;
  missing: number;
  priority: Group;
  held_by: string[];
  missing_ahead: number;
  why: { at?: string; change?: number; cause?: { event?: string; ref?: string | number }; outranked_by?: number };
  said: string;
}

/** A file and the parts it gives; `waiting`: prints of it that can be booked now. */
export interface GcodeFile {
  gcode_filename: string;
  stem: string;
  plate: number | null;
  parts: { id: number; sku: string; title: string; quantity: number; object_ids: number[] | null }[];
  waiting: number;
}

export interface MachineState extends Omit<Tables["print_machine_states"]["Row"], "state" | "live"> {
  state: "idle" | "printing" | "paused" | "error" | "offline";
  live: {
    phase?: string | null;
    layer?: number | null;
    total_layers?: number | null;
    model?: string | null;
    firmware?: string | null;
    nozzle_temp?: number | null;
    bed_temp?: number | null;
    reconnects?: number | null;
    hms?: string[] | null;
    print_error?: string | number | null;
  };
}

export interface MachineRow {
  machine: Machine;
  state: MachineState | null;
  is_stale: boolean;
  owner: string | null;
  parts: { sku: string; quantity: number }[] | null;
  problem: string | null;
  /** Runs whose plate has to be cleared. */
  plates: number[];
  counters: Counters | null;
  service_due: boolean;
  waiting_because: string | null;
  gaps: { from_at: string; to_at: string }[];
}

export interface Bridge {
  code: string;
  name: string;
  last_seen_at: string | null;
  version: string | null;
  spool: { ready?: number; parked?: number; oldest_s?: number | null; last_error?: string | null } | null;
  is_silent: boolean;
}

/** `details` by code: a bridge, or the printer it is about. */
export interface Alarm {
  code: string;
  message: string;
  details: { machine?: string; link?: string; name?: string; last_seen_at?: string | null } | null;
}

export interface FarmStatus {
  unmapped: number;
  review: number;
  plates: number;
  bridges: Bridge[];
  alarms: Alarm[];
}

export interface RunLine {
  sku: string;
  title: string;
  planned: number;
  qty: number;
}

export interface RunRow {
  run: Run;
  /** Code of its printer; null: not known. */
  machine: string | null;
  lines: RunLine[];
  /** What its file gives now; null: not clear. */
  expected: { sku: string; quantity: number }[] | null;
  orders: { code: string; sku: string; quantity: number }[];
}

export interface RunChange {
  changed: boolean;
  run: Run;
  lines: RunLine[];
  message: string | null;
}

export interface ProductionChange {
  changed: boolean;
  order_row: ProductionOrder;
  fulfillment_status: Fulfilment["fulfillment_status"] | null;
}
