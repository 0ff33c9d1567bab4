import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { usePlant } from "@/features/core/queries";
import { rows, rpc } from "@/lib/rpc";
import { session } from "@/lib/session";
import { rememberedStore, useStore } from "@/lib/store";
import { db } from "@/lib/supabase";
import type { FarmSearch } from "./search";
import type {
  Explanation,
  FarmStatus,
  Fulfilment,
  GcodeFile,
  MachineRow,
  OrderPrint,
  Part,
  PartDemand,
  ProductionOrder,
  RunRow,
  ScheduleRow,
} from "./types";

// Nobody is told of layers; and what is late or silent changes by the clock alone.
const LOOK_AGAIN_MS = 15_000;
const PAGE = 50;

/** The filters of the page, which live in the address; and a function that changes some of them. */
export function useFilter(): [FarmSearch, (change: FarmSearch) => void] {
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as FarmSearch;
  return [filter, (change) => void navigate({ to: ".", search: { ...filter, ...change } as never, replace: true })];
}

/** The site that this browser looks at, where somebody works at several. */
export const chosenSite = rememberedStore<string | null>("takt.farm-site", null);

/** The site whose farm is shown: the chosen one, else the own one. null while nobody knows. */
export function useFarmSite(): string | null {
  const { data } = usePlant();
  const { who } = useStore(session);
  const chosen = useStore(chosenSite);
  const known = data?.sites.some((one) => one.code === chosen) ? chosen : null;
  return known ?? who?.site ?? data?.sites[0]?.code ?? null;
}

/** The time zone of that site. */
export function useFarmZone(): string {
  const { data } = usePlant();
  const site = useFarmSite();
  return data?.sites.find((one) => one.code === site)?.time_zone ?? "UTC";
}

export function useSchedule(site: string | null) {
  return useQuery({
    queryKey: ["schedule", site],
    queryFn: () => rpc<ScheduleRow[]>("get_schedule", { p_site: site }),
    refetchInterval: LOOK_AGAIN_MS,
    enabled: site !== null,
  });
}

const PARTS_PAGE = 200;

export function usePartDemand(filter: { q?: string | undefined; short?: boolean | undefined }) {
  return useInfiniteQuery({
    queryKey: ["part-demand", filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<PartDemand[]>("get_part_demand", {
        p_search: filter.q ?? null,
        p_only_deficit: filter.short ?? false,
        p_limit: PARTS_PAGE,
        p_after: pageParam,
      }),
    getNextPageParam: (page) => (page.length === PARTS_PAGE ? page.at(-1)?.sku : undefined),
    select: (data) => data.pages.flat(),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

/** SKU and title of every printed part, for choosing one. */
export function usePartNames() {
  return useQuery({
    queryKey: ["part-names"],
    queryFn: () =>
      rows<{ sku: string; parts_per_print: number; is_active: boolean; inventory_items: { title: string } }[]>(
        db().from("parts").select("sku, parts_per_print, is_active, inventory_items(title)").order("sku").limit(1000),
      ),
  });
}

export function usePart(sku: string | null) {
  return useQuery({
    queryKey: ["part", sku],
    queryFn: () =>
      rows<Part & { inventory_items: { title: string; min_stock: number | null } }>(
        db()
          .from("parts")
          .select("*, inventory_items(title, min_stock)")
          .eq("sku", sku ?? "")
          .single(),
      ),
    enabled: sku !== null,
    staleTime: 0,
  });
}

/** What a file gives now; only asked for a name. */
export function useGcode(name: string, plate: number | null) {
  return useQuery({
    queryKey: ["gcode", name, plate],
    queryFn: () => rpc<GcodeFile>("get_gcode", { p_gcode_filename: name, p_plate: plate }),
    enabled: name !== "",
    staleTime: 0,
  });
}

export function useFulfilment({ status, store, sku }: FarmSearch) {
  return useInfiniteQuery({
    queryKey: ["fulfilment", status, store, sku],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<Fulfilment[]>("get_order_fulfilment", {
        p_status: status ?? "open",
        p_store: store ?? null,
        p_sku: sku ?? null,
        p_limit: PAGE,
        p_cursor: pageParam,
      }),
    getNextPageParam: (page) => (page.length === PAGE ? page.at(-1)?.cursor : undefined),
    select: (data) => data.pages.flat(),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

/** The prints that these orders still need. */
export function useOrderPrints(codes: string[]) {
  return useQuery({
    queryKey: ["fulfilment", "prints", codes],
    queryFn: () => rpc<OrderPrint[]>("get_order_prints", { p_codes: codes }),
    enabled: codes.length > 0,
    placeholderData: keepPreviousData,
  });
}

export function useExplanation(code: string | null) {
  return useQuery({
    queryKey: ["explanation", code],
    queryFn: () => rpc<Explanation[]>("explain_allocation", { p_code: code }),
    enabled: code !== null,
  });
}

export function useProductionOrder(code: string) {
  return useQuery({
    queryKey: ["production-order", code],
    queryFn: () => rows<ProductionOrder>(db().from("production_orders").select("*").eq("code", code).single()),
    staleTime: 0,
  });
}

export function useMachines(site: string | null) {
  return useQuery({
    queryKey: ["print-machines", site],
    queryFn: () => rpc<MachineRow[]>("get_print_machines", { p_site: site }),
    refetchInterval: LOOK_AGAIN_MS,
    enabled: site !== null,
  });
}

/** The name of a printer by its code. */
export function useMachineName(): (code: string | null) => string | null {
  const { data } = useMachines(useFarmSite());
  return (code) => data?.find((one) => one.machine.code === code)?.machine.name ?? code;
}

export function useFarmStatus(site: string | null) {
  return useQuery({
    queryKey: ["farm-status", site],
    queryFn: () => rpc<FarmStatus>("get_farm_status", { p_site: site }),
    refetchInterval: LOOK_AGAIN_MS,
    enabled: site !== null,
  });
}

export function useRuns(site: string | null, { filter, machine }: FarmSearch) {
  return useInfiniteQuery({
    queryKey: ["print-runs", site, filter, machine],
    initialPageParam: null as number | null,
    queryFn: ({ pageParam }) =>
      rpc<RunRow[]>("get_print_runs", {
        p_filter: filter ?? "all",
        p_machine: machine ?? null,
        p_site: site,
        p_limit: PAGE,
        p_before_id: pageParam,
      }),
    getNextPageParam: (page) => (page.length === PAGE ? page.at(-1)?.run.id : undefined),
    select: (data) => data.pages.flat(),
    refetchInterval: LOOK_AGAIN_MS,
    enabled: site !== null,
    placeholderData: keepPreviousData,
  });
}

/** One print by its number. */
export function useRun(id: number) {
  return useQuery({
    queryKey: ["print-runs", "one", id],
    queryFn: async () => {
      const [row] = await rpc<RunRow[]>("get_print_runs", { p_limit: 1, p_before_id: id + 1 });
      return row?.run.id === id ? row : null;
    },
  });
}
