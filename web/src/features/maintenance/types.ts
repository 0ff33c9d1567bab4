import type { Line, Machine } from "@/features/machines/types";
import type { Database } from "@/lib/database.gen";

type Tables = Database["public"]["Tables"];

export type RepairRecord = Tables["repairs"]["Row"];
export type Symptom = Tables["machine_symptoms"]["Row"];
export type PlanRecord = Tables["maintenance_plans"]["Row"];
export type Check = Omit<Tables["repair_checks"]["Row"], "repair_id">;

export interface LineRow {
  line: Line;
  status: string;
  since: string | null;
  machines: number;
}

/** A machine with what is open and due, as get_machines answers. */
export interface MachineRow {
  machine: Machine;
  status: string;
  since: string | null;
  open_repairs: number;
  last_repaired_at: string | null;
  hours_since_repair: number | null;
  run_hours: number | null;
  cycles: number | null;
  next_due_at: string | null;
  plans_due: number;
}
export interface MachinePage {
  machines: MachineRow[] | null;
  total: number | null;
  next_cursor: string | null;
}

export interface RepairRow {
  repair: RepairRecord;
  machine_name: string;
  line: string | null;
  symptom: string | null;
  assignee: string | null;
  reported_by: string | null;
  reaction_min: number | null;
  downtime_h: number | null;
}
export interface RepairPage {
  repairs: RepairRow[] | null;
  total: number | null;
  next_cursor: string | null;
}

export interface HistoryEntry {
  at: string;
  status: string;
  waits_for: string | null;
  by: string | null;
  note: string | null;
  minutes: number | null;
}
export interface UsedPart {
  txn_id: number;
  at: string;
  sku: string;
  title: string;
  uom: string;
  location: string;
  quantity: number;
  cost: number;
  reverses: number | null;
  is_returned: boolean;
}
export interface Attachment {
  id: string;
  bucket: string;
  path: string;
  name: string | null;
  mime_type: string;
  uploaded_by: string | null;
  created_at: string;
  is_there: boolean;
}
export interface RepairDetail extends RepairRow {
  history: HistoryEntry[];
  parts: UsedPart[];
  parts_cost: number;
  total_cost: number;
  attachments: Attachment[];
  checks: Check[];
  /** Repairs that its checklist found. */
  found: number[];
  /** The commands that this person may give now. */
  actions: string[];
}
export interface RepairChange {
  changed: boolean;
  event_id: number | null;
  repair: RepairRecord;
}

export interface PlanItem {
  position: number;
  title: string;
  unit: string | null;
  lower: number | null;
  upper: number | null;
}
export interface PlanRow {
  plan: PlanRecord;
  machine_name: string;
  items: PlanItem[];
  counter: number | null;
  left_days: number | null;
  left_count: number | null;
  is_due: boolean;
  open_repair: number | null;
}
export interface MachineDetail extends MachineRow {
  repairs: RepairRow[];
  plans: PlanRow[];
}

/** What the QR code of a machine opens, for people without an account. */
export interface ReportForm {
  machine: string;
  name: string;
  line: string | null;
  symptoms: { code: string; title: string; is_down: boolean; is_open: boolean }[];
}
export interface Ticket {
  repair_id: number;
  is_new: boolean;
  status: string;
  machine: string;
  name: string;
  reports: number;
  photo_path: string | null;
}
