import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { RpcError, rows, rpc } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import type { Blocker, Order, Priority, QueuePage, Stage, StageCount, TimelineEntry } from "@/lib/types";

export interface QueueFilter {
  store?: string | undefined;
  stage?: Stage | undefined;
  person?: string | undefined;
  q?: string | undefined;
  priority?: Priority | undefined;
  storage?: string | undefined;
}

const PAGE = 500;
/** More tickets than this are not on one screen; the total says how many there are. */
const MOST = 5000;

async function readQueue(filter: QueueFilter, signal: AbortSignal): Promise<{ orders: Order[]; total: number }> {
  const orders: Order[] = [];
  let total = 0;
  let cursor: string | null = null;
  do {
    const page: QueuePage = await rpc<QueuePage>(
      "get_queue",
      {
        p_store: filter.store ?? null,
        p_stage: filter.stage ?? null,
        p_assignee_id: filter.person ?? null,
        p_search: filter.q ?? null,
        p_priority: filter.priority ?? null,
        p_storage: filter.storage ?? null,
        p_cursor: cursor,
        p_limit: filter.stage === "Complete" ? 100 : PAGE,
        p_with_total: cursor === null,
      },
      { signal },
    );
    orders.push(...page.orders);
    total = page.total ?? total;
    cursor = filter.stage === "Complete" ? null : page.next_cursor;
  } while (cursor && orders.length < MOST);
  return { orders, total };
}

/** Tickets in the order in which they should be done; Complete: the newest 100. */
export function useQueue(filter: QueueFilter, enabled = true) {
  return useQuery({
    queryKey: ["queue", filter],
    queryFn: ({ signal }) => readQueue(filter, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useCounts(store?: string) {
  return useQuery({
    queryKey: ["counts", store ?? null],
    queryFn: () => rpc<StageCount[]>("get_stage_counts", { p_store: store ?? null }),
  });
}

export function useUnassigned(store: string | undefined, stage: Stage | undefined) {
  return useQuery({
    queryKey: ["queue", "unassigned", store ?? null, stage ?? null],
    queryFn: () =>
      rpc<QueuePage>("get_unassigned_list", {
        p_store: store ?? null,
        p_stage: stage ?? null,
        p_limit: 50,
        p_with_total: true,
      }),
  });
}

/** One ticket by its id. Fails with order.unknown when there is none, or none that one may see. */
export function useOrder(id: string) {
  return useQuery({
    queryKey: ["order", id],
    queryFn: async () => {
      const found = await rows<Order[]>(db().from("orders").select("*").eq("id", id));
      if (!found[0]) throw new RpcError("refused", "", "PT404", "order.unknown", { id });
      return found[0];
    },
  });
}

export function useTimeline(id: string) {
  return useQuery({
    queryKey: ["order", id, "timeline"],
    queryFn: () => rpc<TimelineEntry[]>("get_order_timeline", { p_order_id: id, p_limit: 100 }),
  });
}

export function useBlockers(id: string) {
  return useQuery({
    queryKey: ["order", id, "blockers"],
    queryFn: () => rpc<Blocker[]>("why_not_shipping", { p_order_id: id }),
  });
}

/** The other tickets of the same customer order. */
export function useSiblings(order: Order | undefined) {
  return useQuery({
    queryKey: ["order", order?.id, "siblings"],
    enabled: Boolean(order),
    queryFn: () =>
      rows<Pick<Order, "id" | "stage" | "product_title">[]>(
        db()
          .from("orders")
          .select("id, stage, product_title")
          .eq("store", order?.store ?? "")
          .eq("order_number", order?.order_number ?? "")
          .neq("id", order?.id ?? "")
          .order("id")
          .limit(50),
      ),
  });
}
