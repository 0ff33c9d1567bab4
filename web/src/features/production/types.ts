import type { Database } from "@/lib/database.gen";

type Tables = Database["public"]["Tables"];

export type WorkCentreRow = Tables["work_centres"]["Row"];
export type OrderRow = Tables["production_orders"]["Row"];
export type OrderStep = Tables["production_order_steps"]["Row"];
export type QualityRecord = Tables["quality_records"]["Row"];
export type ApprovalRow = Tables["approvals"]["Row"];
export type ProcessStep = Tables["process_steps"]["Row"];

/** What a work centre waits for: a request that nobody has decided yet. */
export interface PendingRequest {
  id: number;
  type: string;
  justification: string;
  requested_by: string | null;
  requested_by_name: string | null;
  requested_at: string;
}
/** As get_work_centres answers. */
export interface WorkCentreEntry {
  work_centre: WorkCentreRow;
  step_title: string;
  disabled_by_name: string | null;
  pending: PendingRequest | null;
  running: number;
  can_run: number;
  in_process: number;
}
export interface WorkCentre extends WorkCentreRow {
  step_title: string;
  disabled_by_name: string | null;
  pending: PendingRequest | null;
  /** Steps of orders that run here, and that could be started now. */
  running: number;
  can_run: number;
  in_process: number;
}

export interface Material {
  line: number;
  sku: string;
  quantity: number;
}
interface Neighbour {
  sequence: number;
  step: string;
  title: string;
  work_centre?: string | null;
  good?: number;
  in_process?: number;
}

/** A step of an order at a work centre: what can be done there now, or why nothing can. */
export interface Work {
  code: string;
  sequence: number;
  step: string;
  step_title: string;
  status: OrderStep["status"];
  product_sku: string | null;
  product_title: string | null;
  priority: string;
  due_date: string | null;
  type: string;
  /** The order that it makes again for. */
  root: string | null;
  planned: number;
  released: number;
  started: number;
  good: number;
  scrap: number;
  returned: number;
  rework_open: number;
  held_open: number;
  waiting: number;
  in_process: number;
  can_start: number;
  can_run: boolean;
  hint: string | null;
  why: string | null;
  /** What undo would take back for who looks; null: nothing. */
  undo_id: number | null;
  pause_reason: string | null;
  instructions: string | null;
  is_last: boolean;
  materials: Material[];
  previous: Neighbour | null;
  next: Neighbour | null;
}
export interface WorkQueue {
  centre: WorkCentreRow & { step_title: string };
  pending: PendingRequest | null;
  items: Work[];
  total: number;
}

export interface Notice {
  code: string;
  message: string;
  details?: Record<string, unknown>;
}
/** Answer of a command at a step. */
export interface RoutedChange {
  changed: boolean;
  event_id: number | null;
  order_row: OrderRow;
  step: OrderStep | null;
  notices: Notice[] | null;
  /** What undo would take back of it; null: it counted nothing. */
  count_id: number | null;
}
export interface QualityChange {
  changed: boolean;
  record: QualityRecord;
  step: OrderStep;
  notices: Notice[] | null;
}
export interface StepScan {
  message: string;
  order_row: OrderRow;
  step: OrderStep;
  can_start: number;
}

export interface Reason {
  code: string;
  title: string;
  disposition: string | null;
  step: string | null;
}
/** A family of reasons; without reasons it is a reason itself. */
export interface ReasonFamily {
  code: string;
  title: string;
  disposition: string | null;
  reasons: Reason[];
}

export interface RecordRow {
  record: QualityRecord;
  code: string;
  product_sku: string | null;
  reason_title: string | null;
  recorded_by_name: string | null;
}
export interface RecordPage {
  records: RecordRow[] | null;
  next_cursor: string | null;
}

export interface ApprovalEntry {
  approval: ApprovalRow;
  code: string | null;
  work_centre_title: string | null;
  requested_by_name: string | null;
  decided_by_name: string | null;
  may_decide: boolean;
}
export interface ApprovalPage {
  approvals: ApprovalEntry[] | null;
  next_cursor: string | null;
}
export interface ApprovalChange {
  changed: boolean;
  approval: ApprovalRow;
}

export type ParetoBy = "quantity" | "time" | "cost";
export interface ParetoRow {
  reason: string;
  title: string;
  family: string | null;
  family_title: string | null;
  quantity: number;
  scrap: number;
  records: number;
  /** By what was asked for: pieces, minutes of work in them, or cost; null where nobody said how much. */
  weight: number | null;
  weight_scrap: number;
  /** Pieces whose weight nobody said. */
  unknown: number;
  /** Of the weight of all defective pieces, 0 to 1. */
  share: number | null;
  cumulative: number | null;
}
export interface StepQuality {
  step: string;
  title: string;
  first_good: number;
  good: number;
  scrap: number;
  returned: number;
  rework: number;
  use_as_is: number;
  rework_open: number;
  held_open: number;
  fpy: number | null;
}
export interface Quality {
  from: string;
  to: string | null;
  by: ParetoBy;
  reasons: ParetoRow[];
  steps: StepQuality[];
  rty: number | null;
  totals: Record<"scrap" | "returned" | "rework" | "use_as_is" | "rework_open" | "held_open", number>;
}
