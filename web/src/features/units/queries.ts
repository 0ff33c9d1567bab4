import { keepPreviousData, queryOptions, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { rows, rpc } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import type { UnitSearch } from "./search";
import type {
  Component,
  Kit,
  RecallEntry,
  RuleVersion,
  TestPoint,
  TraceQuery,
  TraceResult,
  UnitDetail,
  UnitPage,
  Variant,
  YieldRow,
} from "./types";

const PAGE = 100;
// A lost broadcast is not told again to those who may not audit.
const LOOK_AGAIN_MS = 15_000;

/** What the address says, and a function that changes some of it. */
export function useFilter(): [UnitSearch, (change: UnitSearch) => void] {
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as UnitSearch;
  return [filter, (change) => void navigate({ to: ".", search: { ...filter, ...change } as never, replace: true })];
}

export function useUnits({ q, status, variant }: UnitSearch) {
  return useInfiniteQuery({
    queryKey: ["units", q, status, variant],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<UnitPage>("get_units", {
        p_search: q ?? null,
        p_status: status ? [status] : null,
        p_variant: variant ?? null,
        p_cursor: pageParam,
        p_limit: PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => ({ units: data.pages.flatMap((page) => page.units ?? []), total: data.pages[0]?.total ?? 0 }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

export function useFinished({ q, variant }: UnitSearch) {
  return useInfiniteQuery({
    queryKey: ["units", "finished", q, variant],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<UnitPage>("get_finished_units", {
        p_search: q ?? null,
        p_variant: variant ?? null,
        p_cursor: pageParam,
        p_limit: PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => ({ units: data.pages.flatMap((page) => page.units ?? []), total: data.pages[0]?.total ?? 0 }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

export const readUnit = (sn: string) => rpc<UnitDetail>("get_unit", { p_sn: sn });

export function useUnit(sn: string | null) {
  return useQuery({
    queryKey: ["unit", sn],
    queryFn: () => readUnit(sn ?? ""),
    enabled: sn !== null,
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
  });
}

/** What is built in now. */
export const componentsQuery = (sn: string) =>
  queryOptions({
    queryKey: ["unit", sn, "components"],
    queryFn: () =>
      rows<Component[]>(
        db().from("unit_components").select("*, lots(code, held_at)").eq("sn", sn).is("removed_at", null).order("id"),
      ),
  });
export const useComponents = (sn: string) => useQuery({ ...componentsQuery(sn), enabled: sn !== "" });

/** The last 50 runs of a test, newest first. */
export function useTestHistory(test: string, variant: string | null) {
  return useQuery({
    queryKey: ["unit-tests", test, variant],
    queryFn: () => rpc<TestPoint[]>("get_test_history", { p_test: test, p_limit: 50, p_variant: variant }),
  });
}

export function useYield() {
  return useQuery({ queryKey: ["unit-tests", "yield"], queryFn: () => rpc<YieldRow[]>("get_yield") });
}

export function useVariants() {
  return useQuery({
    queryKey: ["variants"],
    queryFn: () => rows<Variant[]>(db().from("product_variants").select("*").order("code").limit(1000)),
  });
}

/** Every version of the rules of a variant, newest first. */
export const rulesQuery = (variant: string | null) =>
  queryOptions({
    queryKey: ["variants", "rules", variant],
    queryFn: () =>
      rows<RuleVersion[]>(
        db()
          .from("variant_rules")
          .select("*")
          .eq("variant", variant ?? "")
          .order("version", { ascending: false })
          .limit(100),
      ),
  });
export const useRules = (variant: string | null) => useQuery({ ...rulesQuery(variant), enabled: variant !== null });

const KITS = 100;
export function useKits(q: string | undefined) {
  return useInfiniteQuery({
    queryKey: ["kits", q],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      let kits = db().from("packaging_kits").select("*").gt("kit_id", pageParam).order("kit_id").limit(KITS);
      if (q) kits = kits.ilike("kit_id", `%${q.replace(/[\\%_]/g, "\\$&")}%`);
      return rows<Kit[]>(kits);
    },
    getNextPageParam: (page) => (page.length === KITS ? page.at(-1)?.kit_id : undefined),
    select: (data) => data.pages.flat(),
    placeholderData: keepPreviousData,
  });
}

/** The arguments of trace_forward; null for what is not asked. */
export function traceArgs(query: TraceQuery, zone?: (day: string, end: boolean) => string): Record<string, string> {
  const { since, until, ...rest } = query;
  const given: Record<string, string | undefined> = {
    ...rest,
    since: since && zone ? zone(since, false) : since,
    until: until && zone ? zone(until, true) : until,
  };
  return Object.fromEntries(Object.entries(given).filter((pair): pair is [string, string] => Boolean(pair[1])));
}

const LISTED = 200;
export function useTrace(trace: Record<string, string> | null) {
  return useQuery({
    queryKey: ["recall-trace", trace],
    queryFn: () =>
      rpc<TraceResult>("trace_forward", {
        ...Object.fromEntries(Object.entries(trace ?? {}).map(([name, value]) => [`p_${name}`, value])),
        p_limit: LISTED,
      }),
    enabled: trace !== null,
    retry: false,
  });
}

/** The recalls that still hold something; read again with what is on hold. */
export function useRecalls() {
  return useQuery({
    queryKey: ["recall-trace", "open"],
    queryFn: () => rpc<RecallEntry[]>("get_recalls", {}),
    refetchInterval: LOOK_AGAIN_MS,
  });
}
