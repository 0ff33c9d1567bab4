import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type { BoardPage, OrderDetail } from "./plan-types";
import type { RoutingPage } from "./routing-types";
import type { ProductionSearch } from "./search";

// What can run changes by other people's stock too.
const LOOK_AGAIN_MS = 15_000;
const PAGE = 50;

/** Production orders for the planner; without a status all that are open. */
export function useBoard(site: string | null, { q, status, kind, run, sort }: ProductionSearch) {
  return useInfiniteQuery({
    queryKey: ["production-board", site, q, status, kind, run, sort],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<BoardPage>("get_production_board", {
        p_site: site,
        p_search: q ?? null,
        p_statuses: status ? [status] : null,
        p_types: kind ? [kind] : null,
        p_can_run: run === undefined ? null : run === "yes",
        p_sort: sort ?? "priority",
        p_cursor: pageParam,
        p_limit: PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => ({ orders: data.pages.flatMap((page) => page.orders ?? []), total: data.pages[0]?.total ?? 0 }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

/** How items are made. */
export function useRoutings(search: string | undefined) {
  return useInfiniteQuery({
    queryKey: ["routings", search],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<RoutingPage>("get_routings", {
        p_search: search ?? null,
        p_cursor: pageParam,
        p_limit: PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => ({ items: data.pages.flatMap((page) => page.items ?? []), total: data.pages[0]?.total ?? 0 }),
    placeholderData: keepPreviousData,
  });
}

export function useOrder(code: string) {
  return useQuery({
    queryKey: ["production-order", code],
    queryFn: () => rpc<OrderDetail>("get_production_order", { p_code: code }),
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
  });
}
