import type { Database } from "@/lib/database.gen";
import type { HistoryEvent } from "@/ui/history";
import type { ApprovalRow, OrderRow, OrderStep } from "./types";

/** Why an order does not go on: a code, and the server's sentence. */
export interface Why {
  code: string;
  message: string;
  sequence?: number;
  details?: { missing?: { sku: string; missing: number }[] | null } & Record<string, unknown>;
}
export type StepShort = Pick<
  OrderStep,
  "sequence" | "step" | "status" | "planned" | "released" | "started" | "good" | "scrap" | "returned"
> & { in_process: number };

interface Replenishment {
  code: string;
  status: string;
  quantity: number;
  sku: string | null;
}
interface Common {
  order_row: OrderRow;
  product_title: string | null;
  fulfillment_status: string | null;
  progress: Database["public"]["Tables"]["production_order_progress"]["Row"] | null;
  can_run: boolean;
  why: Why[];
  /** The order that it makes again for, and the orders that make again for it. */
  root: string | null;
  replenishments: Replenishment[];
}
export interface BoardRow extends Common {
  steps: StepShort[];
}
export interface BoardPage {
  orders: BoardRow[] | null;
  next_cursor: string | null;
  total: number | null;
}

export interface StepDetail extends OrderStep {
  title: string;
  in_process: number;
  waiting: number;
  can_start: number;
  can_run: boolean;
  why: Why | null;
  work_centres: { code: string; title: string; is_enabled: boolean }[];
}
export interface OrderPart {
  line: number;
  sku: string;
  title: string;
  needed: number;
  allocated: number;
  consumed: number;
  missing: number;
}
/** The newest label that was asked for. */
export interface Label {
  state: string;
  job_state: string;
  job_id: number;
}
export interface OrderLot {
  lot_id: number;
  code: string;
  sku: string;
  kind: string;
  held_at: string | null;
  hold_reason: string | null;
  received: number;
  good: number;
  remaining: number;
  label: Label | null;
}
export interface OrderDetail extends Common {
  steps: StepDetail[];
  routing_version: number | null;
  parts: OrderPart[];
  lots: OrderLot[];
  label: Label | null;
  approvals: ApprovalRow[];
  refs: { system: string; external_id: string; version: number }[];
  events: HistoryEvent[];
}
