export interface RoutingStep {
  sequence: number;
  step: string;
  title: string;
  /** null: any work centre that does this step. */
  work_centre: string | null;
  work_centre_title: string | null;
  /** Minutes: once for an order, and for each piece. */
  setup_min: number;
  run_min: number;
  materials: { sku: string; title: string }[];
  instructions: string | null;
}
export interface RoutingVersion {
  version: number;
  is_active: boolean;
  note: string | null;
  created_at: string;
  created_by_name: string | null;
  steps: RoutingStep[];
}
/** An item and every way in which it is or was made, the newest first. */
export interface RoutingItem {
  sku: string;
  title: string;
  is_active: boolean;
  active_version: number | null;
  versions: RoutingVersion[];
}
export interface RoutingPage {
  items: RoutingItem[] | null;
  next_cursor: string | null;
  total: number | null;
}
/** As save_routing and activate_routing answer. */
export interface RoutingChange {
  changed: boolean;
  routing: { sku: string; version: number; is_active: boolean };
}
