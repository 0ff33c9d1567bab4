import type { Database, Json } from "./database.gen";

type Tables = Database["public"]["Tables"];
type Composites = Database["public"]["CompositeTypes"];
type Enums = Database["public"]["Enums"];

export type { Json };
export type Order = Tables["orders"]["Row"];
export type Stage = Enums["stage_type"];
export type Priority = Enums["priority_level"];
export type Station = Tables["stations"]["Row"];
export type Store = Tables["stores"]["Row"];
export type Site = Tables["sites"]["Row"];
export type Staff = Tables["staff_shared"]["Row"];
export type Device = Tables["devices"]["Row"];
export type TimelineEntry = Filled<Composites["timeline_entry"], "id" | "at" | "event">;
export type Blocker = Filled<Composites["blocker"], "code" | "message">;
export type StageCount = Full<Composites["stage_count"]>;
export type SettingValue = Full<Composites["setting_value"]>;
export type ShopHealth = Filled<
  Composites["shop_health"],
  "store" | "source" | "status" | "waiting" | "failed" | "dead"
>;
export type InboxEntry = Filled<Composites["inbox_entry"], "id" | "topic" | "status" | "received_at" | "attempts">;
export type ReplayResult = Filled<Composites["replay_result"], "inbox_id" | "topic" | "ok" | "result">;
export type EventEntry = Filled<Composites["event_entry"], "cursor" | "id" | "at" | "stream" | "stream_id" | "event">;
export type Enrolment = Full<Composites["device_enrolment"]>;

/** Postgres calls every attribute of a composite nullable; these never are. */
type Full<T> = { [K in keyof T]: NonNullable<T[K]> };
type Filled<T, K extends keyof T> = Omit<T, K> & { [P in K]: NonNullable<T[P]> };

export interface OrderChange {
  changed: boolean;
  event_id: number | null;
  offer: string | null;
  order_row: Order;
}

export interface Candidate {
  id: string;
  store: string;
  stage: Stage;
  product_title: string;
  flavour: string | null;
  size: string | null;
  customer_name: string | null;
  due_date: string | null;
}

/** A lot of an item, where several have one of that code. */
export interface LotCandidate {
  sku: string;
  lot: string;
}

export interface ScanResult {
  ok: boolean;
  changed: boolean;
  action:
    | "started"
    | "completed"
    | "nothing"
    | "found"
    | "unit"
    | "production_order"
    | "lot"
    | "ask"
    | "ignored"
    | "refused";
  message: string;
  status: number;
  code: string | null;
  hint: string | null;
  details: Record<string, Json | undefined>;
  offer: string | null;
  event_id: number | null;
  candidates: (Candidate | LotCandidate)[] | null;
  order_row: Order | null;
}

export interface QueuePage {
  orders: Order[];
  next_cursor: string | null;
  total: number | null;
}

export interface Who {
  user_id: string;
  role: string;
  name: string;
  stores: string[];
  site: string | null;
  permissions: string[];
}

export const STAGES = ["Filling", "Covering", "Decorating", "Packing"] as const satisfies readonly Stage[];
export const PRIORITIES = ["High", "Medium", "Low"] as const satisfies readonly Priority[];
