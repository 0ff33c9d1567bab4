import type { Database } from "@/lib/database.gen";

type Tables = Database["public"]["Tables"];
type Composites = Database["public"]["CompositeTypes"];
type Figures<T> = { [K in keyof T]: number };
type MaybeFigures<T> = { [K in keyof T]: number | null };

export type Machine = Tables["machines"]["Row"];
export type Line = Tables["lines"]["Row"];
export type StopReason = Tables["stop_reasons"]["Row"];
export type Stop = Tables["stops"]["Row"];
export type Handover = Omit<Tables["shift_handovers"]["Row"], "snapshot"> & { snapshot: Snapshot };

/** What figures are made of: seconds and pieces. */
export type Inputs = Figures<Composites["kpi_inputs"]>;
/** Shares from 0 to 1; null where there is nothing to say. */
export type Ratios = MaybeFigures<Omit<Composites["kpi_ratios"], "ideal_cycle_suspect">> & {
  ideal_cycle_suspect: boolean;
};

/** A machine now, as get_andon answers. */
export interface Andon {
  machine: string;
  name: string;
  line: string | null;
  work_centre: string | null;
  state: string;
  since: string | null;
  by_name: string | null;
  reason: string | null;
  reason_title: string | null;
  stop_id: number | null;
  stop_version: number | null;
  open_repairs: number;
  /** Who was called because it stands so long, and who is on it. */
  called_role: string | null;
  called_at: string | null;
  answered_by_name: string | null;
  answered_at: string | null;
  shift_id: number | null;
  shift: string | null;
  shift_ends_at: string | null;
  inputs: Inputs | null;
  ratios: Ratios;
}

/** A piece of time. kind: unscheduled, planned, run, setup, stop, micro or pending. */
export interface Piece {
  starts_at: string;
  ends_at: string;
  kind: string;
  policy: string;
  time_class: string | null;
  reason: string | null;
  title: string | null;
  state: string | null;
  stop_id: number | null;
  shift_id: number | null;
}

/** A stop; without an id only the states of the machine show it so far. */
export interface StopRow {
  machine: string;
  stop_id: number | null;
  version: number | null;
  starts_at: string | null;
  ends_at: string | null;
  seconds: number | null;
  lost_s: number;
  kind: string;
  reason: string | null;
  title: string | null;
  time_class: string | null;
  state: string | null;
  comment: string | null;
  repair_ids: number[];
}
export interface StopChange {
  changed: boolean;
  event_id: number | null;
  stop: Stop;
}

export interface OeeRow {
  key: string;
  machines: number;
  starts_at: string;
  ends_at: string;
  as_of: string;
  inputs: Inputs;
  ratios: Ratios;
}

export interface LossRow {
  kind: string;
  time_class: string | null;
  reason: string | null;
  title: string | null;
  policy: string;
  big_loss: string | null;
  seconds: number;
  share: number | null;
  cumulative: number | null;
  stops: number;
}

export interface ShiftHour {
  starts_at: string;
  ends_at: string;
  planned_s: number;
  run_s: number;
  target: number | null;
  good: number;
  scrap: number;
  rework: number;
  target_so_far: number | null;
  /** What the plan of the shift has come to by now. */
  due_by_now: number | null;
  good_so_far: number;
  unscheduled_pieces: number;
  /** A reason or a class of time. */
  main_loss: string | null;
  main_loss_title: string | null;
  main_loss_s: number | null;
  machine: string;
  name: string;
  work_centre: string;
  work_centre_title: string | null;
  shift: string;
  shift_title: string;
  shift_date: string;
}

export interface MicroStops {
  micro_stops: number;
  seconds: number;
  average_s: number | null;
  share_of_run: number | null;
  by_machine: { machine: string; name: string; stops: number; seconds: number }[];
  by_hour: { hour: number; stops: number; seconds: number }[];
  by_state: { state: string; stops: number; seconds: number }[];
  last: { machine: string; name: string; from: string; to: string; seconds: number; state: string }[];
}

export interface Mttr {
  key: string;
  title: string | null;
  failures: number;
  restored: number;
  open: number;
  mttr_s: number | null;
  mtta_s: number | null;
  response_s: number | null;
  wrench_s: number | null;
  waiting_s: number | null;
  corrective_ratio: number | null;
}
export interface Mtbf {
  key: string;
  title: string | null;
  operating_s: number;
  failures: number;
  mtbf_s: number | null;
  at_least_s: number | null;
  mttr_s: number | null;
  inherent_availability: number | null;
}

export interface TableUse {
  work_centre: string;
  shift: string;
  shift_date: string;
  starts_at: string;
  ends_at: string;
  capacity: number;
  occupied: number | null;
  utilisation: number | null;
}

interface OpenRepair {
  id: number;
  status: string;
  symptom: string | null;
  is_down: boolean;
}
/** What a shift left behind, as it was when it was signed. */
export interface Snapshot {
  from: string;
  to: string;
  as_of: string;
  inputs: Inputs;
  ratios: Ratios;
  machines: {
    machine: string;
    state: string;
    since: string | null;
    reason: string | null;
    inputs: Inputs;
    ratios: Ratios;
    open_repairs: OpenRepair[];
  }[];
}
export interface HandoverChange {
  changed: boolean;
  handover: Handover;
}
export interface ShiftStart {
  work_centre: string;
  title: string | null;
  shift: string | null;
  starts_at: string | null;
  ends_at: string | null;
  machines: {
    machine: string;
    name: string;
    state: string;
    since: string | null;
    reason: string | null;
    open_repairs: number;
    is_ready: boolean;
  }[];
  can_run: {
    order: string;
    sku: string | null;
    sequence: number;
    step: string;
    pieces: number;
    due_date: string | null;
  }[];
  people: { user_id: string; full_name: string; station: string | null; last_seen: string }[];
  handover: Handover | null;
}
