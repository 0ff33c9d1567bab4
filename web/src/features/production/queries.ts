import { keepPreviousData, queryOptions, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { usePlant } from "@/features/core/queries";
import { rows, rpc } from "@/lib/rpc";
import { session } from "@/lib/session";
import { rememberedStore, useStore } from "@/lib/store";
import { db } from "@/lib/supabase";
import type { ProductionSearch } from "./search";
import type {
  ApprovalPage,
  ParetoBy,
  ProcessStep,
  Quality,
  ReasonFamily,
  RecordPage,
  Work,
  WorkCentre,
  WorkCentreEntry,
  WorkQueue,
} from "./types";

// What is late, and what can run, changes by the clock and by other people's stock too.
const LOOK_AGAIN_MS = 15_000;

/** What the address says, and a function that changes some of it. */
export function useFilter(): [ProductionSearch, (change: ProductionSearch) => void] {
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as ProductionSearch;
  return [filter, (change) => void navigate({ to: ".", search: { ...filter, ...change } as never, replace: true })];
}

/** The site that this browser looks at, where somebody works at several. */
export const chosenSite = rememberedStore<string | null>("takt.production-site", null);

/** The site whose production is shown: the chosen one, else the own one. null while nobody knows. */
export function useSite(): string | null {
  const { data } = usePlant();
  const { who } = useStore(session);
  const chosen = useStore(chosenSite);
  const known = data?.sites.some((one) => one.code === chosen) ? chosen : null;
  return known ?? who?.site ?? data?.sites[0]?.code ?? null;
}

/** The time zone of that site. */
export function useSiteZone(): string {
  const { data } = usePlant();
  const site = useSite();
  return data?.sites.find((one) => one.code === site)?.time_zone ?? "UTC";
}

/** Every work centre where the person works, by step. */
export const centresQuery = queryOptions({
  queryKey: ["work-centres"],
  queryFn: async (): Promise<WorkCentre[]> => {
    const entries = await rpc<WorkCentreEntry[]>("get_work_centres");
    return entries.map(({ work_centre, ...more }) => ({ ...work_centre, ...more }));
  },
  refetchInterval: LOOK_AGAIN_MS,
});
export const useCentres = () => useQuery(centresQuery);

export const useCentre = (code: string | null) => useCentres().data?.find((one) => one.code === code);

export function useProcessSteps() {
  return useQuery({
    queryKey: ["process-steps"],
    queryFn: () => rows<ProcessStep[]>(db().from("process_steps").select("*").eq("is_active", true).order("sequence")),
  });
}

const QUEUE = 100;

/** What can run at a work centre now, then what waits and why. */
export function useWorkQueue(centre: string) {
  return useQuery({
    queryKey: ["work-queue", centre],
    queryFn: () => rpc<WorkQueue>("get_work_centre_queue", { p_work_centre: centre, p_limit: QUEUE }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

/** One order at a work centre; `step` where it comes there more than once. null: it has nothing to do there. */
export const workQuery = (centre: string, code: string | undefined, step: number | undefined) =>
  queryOptions({
    queryKey: ["work-queue", centre, code, step],
    queryFn: async (): Promise<Work | null> => {
      const given = { p_work_centre: centre, p_code: code, p_limit: QUEUE };
      const { items } = await rpc<WorkQueue>("get_work_centre_queue", given);
      return items.find((one) => step === undefined || one.sequence === step) ?? null;
    },
    enabled: code !== undefined,
    refetchInterval: LOOK_AGAIN_MS,
  });

export const useWork = (centre: string, of: { code: string | undefined; step: number | undefined }) =>
  useQuery(workQuery(centre, of.code, of.step));

/** Families of reasons at a process step. */
export function useReasons(step: string | null) {
  return useQuery({
    queryKey: ["quality-reasons", step],
    queryFn: () => rpc<ReasonFamily[]>("get_quality_reasons", { p_step: step }),
    staleTime: 5 * 60_000,
  });
}

const PAGE = 100;

interface RecordFilter {
  p_code?: string;
  p_step?: string;
  p_site?: string | null;
  p_is_open?: boolean;
}

/** Quality records of an order, at a step, or of a site. */
export function useRecords(of: RecordFilter) {
  return useInfiniteQuery({
    queryKey: ["quality-records", of],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => rpc<RecordPage>("get_quality_records", { ...of, p_cursor: pageParam, p_limit: PAGE }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.records ?? []),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

/** Those that wait for somebody. */
export const useOpenRecords = (of: RecordFilter) => useRecords({ ...of, p_is_open: true });

export function useApprovals(site: string | null, { show, type }: ProductionSearch) {
  return useInfiniteQuery({
    queryKey: ["approvals", site, show, type],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<ApprovalPage>("get_approvals", {
        p_site: site,
        p_statuses: show === "all" ? null : ["PENDING"],
        p_types: type ? [type] : null,
        p_cursor: pageParam,
        p_limit: PAGE,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.approvals ?? []),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

/** The figures of a range of instants; `since` null: the last 30 days. */
export function useQuality(of: {
  site: string | null;
  since: string | null;
  until: string | null;
  sku: string | null;
  by: ParetoBy;
}) {
  return useQuery({
    queryKey: ["quality", of],
    queryFn: () =>
      rpc<Quality>("get_quality", { p_site: of.site, p_from: of.since, p_to: of.until, p_sku: of.sku, p_by: of.by }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: of.site !== null,
  });
}
