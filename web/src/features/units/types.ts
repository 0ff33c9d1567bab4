import type { Database } from "@/lib/database.gen";
import type { HistoryEvent } from "@/ui/history";

type Tables = Database["public"]["Tables"];

export type Unit = Tables["units"]["Row"];
export type UnitStatus = Database["public"]["Enums"]["unit_status"];
export type Variant = Tables["product_variants"]["Row"];
export type Kit = Tables["packaging_kits"]["Row"];
export type Component = Tables["unit_components"]["Row"] & { lots: { code: string; held_at: string | null } | null };
export type Lot = Tables["lots"]["Row"];

export interface UnitPage {
  units: Unit[] | null;
  next_cursor: string | null;
  total: number | null;
}

export interface Blocker {
  code: string;
  message: string;
  next_action: string;
  target: { page: string; sn: string };
}

export interface Firmware {
  required_prefix?: string;
  range?: string;
  build_hash?: string;
  require_build_hash?: boolean;
}

export interface Limit {
  min?: number;
  max?: number;
  unit?: string;
}
export interface RequiredTest {
  test: string;
  limits: Record<string, Limit>;
}

export interface Gate {
  allowed: boolean;
  blockers: Blocker[];
  expected: {
    firmware_policy?: Firmware | null;
    hw_revs?: string[] | null;
    required_tests?: RequiredTest[] | null;
    packaging_kit?: { required: boolean; variant: string | null; manual: Manual | null } | null;
    variant?: { code: string; title: string; language_set: string; sku: string | null } | null;
    rules_version?: number | null;
  };
}

export interface Measurement {
  metric: string;
  value: number | null;
  unit: string | null;
  low: number | null;
  high: number | null;
  is_pass: boolean;
}

export interface TestRun {
  id: number;
  test: string;
  build_no: number;
  result: "PASS" | "FAIL";
  claimed: "PASS" | "FAIL";
  at: string;
  actor_name: string | null;
  station: string | null;
  fw_readback: Record<string, unknown>;
  measurements: Measurement[];
}

export interface TraceEntry {
  node: number;
  kind: string;
  key: string;
  sku: string | null;
  title: string | null;
  status: string | null;
  held_at: string | null;
  hold_reason: string | null;
  details: Record<string, string | null>;
}
export interface TraceEdge {
  parent: number;
  child: number;
  quantity: number;
}

export interface UnitDetail {
  unit: Unit;
  next_action: string;
  /** What its status and the role of whoever looks allow. */
  actions: string[];
  variant: Variant | null;
  production_order: string | null;
  kit: Kit | null;
  box: { code: string; sealed_at: string | null; shipped_at: string | null; parent: string | null } | null;
  label: { state: string; job_id: number } | null;
  tests: TestRun[];
  gate: Gate;
  events: HistoryEvent[];
  genealogy: { node: number; made_of: TraceEntry[]; went_into: TraceEntry[]; edges: TraceEdge[] };
}

export interface UnitChange {
  changed: boolean;
  unit: Unit;
  next_action: string;
  notices: { code: string; message: string }[] | null;
}

export interface TestAnswer {
  result: "PASS" | "FAIL";
  claimed: "PASS" | "FAIL";
  why: { metric: string; value: number | null; min: number | null; max: number | null; unit: string | null }[];
  unit: Unit;
  next_action: string;
}

export interface TestPoint {
  run_id: number;
  sn: string;
  at: string;
  result: string;
  metric: string | null;
  value: number | null;
  unit: string | null;
  low: number | null;
  high: number | null;
  is_pass: boolean | null;
}

export interface YieldRow {
  test: string;
  day: string;
  units: number;
  passed: number;
  first_pass_yield: number | null;
  runs: number;
  runs_passed: number;
}

export interface Manual {
  language_set?: string;
  min_insert_versions?: Record<string, string>;
}

/** What a unit must fulfil, as save_variant_rules takes it. */
export interface RuleSet {
  allowed_hw_revs: string[];
  firmware: Firmware;
  packaging: { require_device_label?: boolean; kit_required?: boolean };
  manual: Manual;
  required_tests: RequiredTest[];
  required_components: { sku: string; quantity: number }[];
}
export interface RuleVersion extends RuleSet {
  id: number;
  variant: string;
  version: number;
  is_active: boolean;
  note: string | null;
  created_at: string;
  activated_at: string | null;
}

export interface RulesPreview {
  units: number;
  pass_now: number;
  pass_then: number;
  newly_failing: { sn: string; status: UnitStatus; blockers: Blocker[] }[];
  newly_passing: { sn: string; status: UnitStatus; blockers: Blocker[] }[];
}

/** What is traced; the arguments of trace_forward without their p_. */
export interface TraceQuery {
  key?: string | undefined;
  kind?: string | undefined;
  sku?: string | undefined;
  first?: string | undefined;
  last?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}
export interface TraceResult {
  starts: TraceEntry[];
  counts: Record<string, number>;
  entries: TraceEntry[];
  is_complete: boolean;
}
/** One hold of everything: what is still on hold because of it. */
export interface RecallEntry {
  recall_id: number;
  trace: TraceQuery;
  reason: string;
  held_at: string;
  held_by_name: string | null;
  units_on_hold: number;
  lots_on_hold: number;
}
export interface ReleaseResult {
  changed: boolean;
  units_released: number;
  units_kept: number;
  lots_released: number;
  lots_kept: number;
}
export interface HoldResult {
  changed: boolean;
  units_held: number;
  units_held_before: number;
  units_scrapped: number;
  lots_held: number;
  customer_orders: number;
}
