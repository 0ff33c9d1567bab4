import type { RpcName } from "@/lib/rpc";
import type { Order, Stage } from "@/lib/types";

/** When the stage that the ticket is in was started; null while it waits. */
export function startedAt(order: Order): string | null {
  switch (order.stage) {
    case "Filling":
      return order.filling_started_at;
    case "Covering":
      return order.covering_started_at;
    case "Decorating":
      return order.decorating_started_at;
    case "Packing":
      return order.packing_started_at;
    default:
      return null;
  }
}

const START: Record<Exclude<Stage, "Complete">, RpcName> = {
  Filling: "handle_print_barcode",
  Covering: "start_covering",
  Decorating: "start_decorating",
  Packing: "start_packing",
};
const COMPLETE: Record<Exclude<Stage, "Complete">, RpcName> = {
  Filling: "complete_filling",
  Covering: "complete_covering",
  Decorating: "complete_decorating",
  Packing: "complete_packing",
};

/** The command to offer first for this ticket. An offer only: the server decides whether it may happen. */
export function nextStep(order: Order): { rpc: RpcName; kind: "start" | "complete" } | null {
  if (order.stage === "Complete" || order.cancelled_at) return null;
  return startedAt(order)
    ? { rpc: COMPLETE[order.stage], kind: "complete" }
    : { rpc: START[order.stage], kind: "start" };
}

/** How many of each kind: [["Medium", "Vanilla", 14], …], most first. */
export function allDay(orders: Order[]): { key: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const order of orders) {
    const key = [order.size, order.flavour].filter(Boolean).join(" ") || order.product_title;
    counts.set(key, (counts.get(key) ?? 0) + order.item_qty);
  }
  return [...counts]
    .map(([key, count]) => ({ key, count }))
    .sort((a, b) => b.count - a.count || a.key.localeCompare(b.key));
}
