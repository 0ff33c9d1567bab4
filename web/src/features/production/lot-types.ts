import type { Database } from "@/lib/database.gen";
import type { HistoryEvent } from "@/ui/history";
import type { TraceEntry } from "../units/types";
import type { QualityRecord } from "./types";

type Tables = Database["public"]["Tables"];
export type Lot = Tables["lots"]["Row"];

/** How much there is: what came is what went and what is left. `remaining` null: nothing was ever counted. */
export interface Mass {
  received: number;
  moved_in: number;
  moved_out: number;
  used: number;
  scrapped: number;
  returned: number;
  in_units: number;
  remaining: number | null;
  finished: number;
  in_process: number;
  is_counted: boolean;
  is_balanced: boolean;
}

export interface LotEdge {
  parent: number;
  child: number;
  quantity: number;
  removed_at: string | null;
}
export interface LotGenealogy {
  /** null: it was never used, and nothing was used for it. */
  node: number | null;
  made_of: TraceEntry[] | null;
  went_into: TraceEntry[] | null;
  edges: LotEdge[];
  loops: number[] | null;
  is_complete: boolean;
}

export interface LotPart {
  lot: string;
  sku: string;
  quantity: number;
}
export interface LotActivity {
  id: number;
  kind: string;
  at: string;
  order: string | null;
  sequence: number | null;
  note: string | null;
  is_reversal: boolean;
  reverses: number | null;
  can_undo: boolean;
  inputs: LotPart[];
  outputs: LotPart[];
}

export interface LotDetail {
  lot: Lot;
  balance: Tables["production_lots"]["Row"] | null;
  order_code: string | null;
  mass: Mass;
  genealogy: LotGenealogy;
  activities: LotActivity[];
  quality: QualityRecord[] | null;
  /** By their codes. */
  reason_titles: Record<string, string> | null;
  events: HistoryEvent[] | null;
}

export interface LotMovement {
  changed: boolean;
  activity: { id: number } | null;
  lots: { lot: Lot }[];
}
