import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { rows, rpc } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { db } from "@/lib/supabase";
import type { ItemSearch } from "./search";
import type {
  Alarm,
  Count,
  CountAnswer,
  DeductionRule,
  Imported,
  Item,
  ItemPage,
  LedgerPage,
  Place,
  Push,
  Requirement,
  RequirementRow,
} from "./types";

const PAGE = 200;

export function useItems(search: ItemSearch) {
  return useInfiniteQuery({
    queryKey: ["inventory", search],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<ItemPage>("get_inventory", {
        p_search: search.q ?? null,
        p_kind: search.kind ?? null,
        p_location: search.place ?? null,
        p_only: search.only ?? null,
        p_with_inactive: search.inactive ?? false,
        p_cursor: pageParam,
        p_limit: PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    select: (data) => ({ items: data.pages.flatMap((page) => page.items ?? []), total: data.pages[0]?.total ?? 0 }),
  });
}

/** A few items by a part of their SKU or name, for choosing one. */
export function useItemChoice(search: string) {
  return useQuery({
    queryKey: ["inventory", "choice", search],
    queryFn: () => rpc<ItemPage>("get_inventory", { p_search: search || null, p_limit: 20 }),
    placeholderData: keepPreviousData,
    select: (page) => page.items ?? [],
  });
}

export const readItem = (sku: string) => rpc<Item>("get_item", { p_sku: sku });

export function useItem(sku: string) {
  return useQuery({ queryKey: ["item", sku], queryFn: () => readItem(sku), retry: false });
}

export function useLedger(sku: string, place?: string, kind?: string) {
  return useInfiniteQuery({
    queryKey: ["ledger", sku, place, kind],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<LedgerPage>("get_item_ledger", {
        p_sku: sku,
        p_location: place ?? null,
        p_kind: kind ?? null,
        p_cursor: pageParam,
        p_limit: 50,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.entries ?? []),
    retry: false,
  });
}

export function usePlaces() {
  return useQuery({
    queryKey: ["locations"],
    queryFn: () =>
      rows<Place[]>(db().from("locations").select("*").order("is_default", { ascending: false }).order("title")),
    staleTime: 10 * 60_000,
  });
}

export function useDeductionRules() {
  return useQuery({
    queryKey: ["deduction-rules"],
    queryFn: () =>
      rows<DeductionRule[]>(
        db()
          .from("deduction_rules")
          .select("*, item:inventory_items!deduction_rules_sku_fkey(title, uom)")
          .order("priority")
          .order("pattern")
          .order("id"),
      ),
  });
}

export function usePlaceName(): (code: string) => string {
  const { data } = usePlaces();
  return (code) => data?.find((one) => one.code === code)?.title ?? code;
}

/** Everything an item is made of, through every level, for one piece. */
export function useRequirements(sku: string) {
  return useQuery({
    queryKey: ["requirements", sku],
    queryFn: () => rpc<Requirement[]>("get_requirements", { p_sku: sku }),
    enabled: sku !== "",
  });
}

/** The bills of materials of products that shops sell by their title. */
export function useProductRequirements() {
  return useQuery({
    queryKey: ["requirements", "products"],
    queryFn: () =>
      rows<RequirementRow[]>(
        db()
          .from("product_requirements")
          .select("*, item:inventory_items!product_requirements_sku_fkey(title)")
          .not("title", "is", null)
          .order("title")
          .order("id"),
      ),
  });
}

export function useStockAlarms() {
  return useQuery({ queryKey: ["stock-alarms"], queryFn: () => rpc<Alarm[]>("get_stock_alarms") });
}

export function usePushes() {
  return useQuery({
    queryKey: ["stock-pushes"],
    queryFn: () =>
      rows<Push[]>(db().from("stock_pushes").select("*").order("queued_at", { ascending: false }).limit(500)),
  });
}

export function useCounts(closed: boolean) {
  const { who } = useStore(session);
  return useQuery({
    queryKey: ["stock-counts", closed],
    queryFn: () => {
      const asked = db().from("stock_counts").select("*").order("id", { ascending: false }).limit(50);
      return rows<Count[]>(closed ? asked : asked.in("status", ["open", "recount", "approval"]));
    },
    enabled: may(who, "inventory.count"),
  });
}

export function useCount(id: number) {
  return useQuery({
    queryKey: ["stock-count", id],
    queryFn: () => rpc<CountAnswer | null>("get_count", { p_count_id: id }),
  });
}

export function useImports(enabled: boolean) {
  return useQuery({
    queryKey: ["stock-imports"],
    queryFn: () =>
      rows<Imported[]>(
        db()
          .from("stock_imports")
          .select("id, kind, row_count, actor_id, created_at, undone_at")
          .order("id", { ascending: false })
          .limit(20),
      ),
    enabled,
  });
}
