import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { rows, rpc } from "@/lib/rpc";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { db } from "@/lib/supabase";
import type { MaintenanceSearch } from "./search";
import type {
  LineRow,
  MachineDetail,
  MachinePage,
  PlanRow,
  RepairDetail,
  RepairPage,
  ReportForm,
  Symptom,
} from "./types";

// What is due changes by the clock too.
const LOOK_AGAIN_MS = 30_000;
const PAGE = 50;

/** What the address says, and a function that changes some of it. */
export function useFilter(): [MaintenanceSearch, (change: MaintenanceSearch) => void] {
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as MaintenanceSearch;
  return [filter, (change) => void navigate({ to: ".", search: { ...filter, ...change } as never, replace: true })];
}

export function useLines(site: string | null, p_with_inactive = false) {
  return useQuery({
    queryKey: ["lines", site, p_with_inactive],
    queryFn: () => rpc<LineRow[]>("get_lines", { p_site: site, p_with_inactive }),
    enabled: site !== null,
  });
}

export function useMachines(site: string | null, { q, line, status, show }: MaintenanceSearch) {
  return useInfiniteQuery({
    queryKey: ["machine-list", site, q, line, status, show],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<MachinePage>("get_machines", {
        p_site: site,
        p_search: q ?? null,
        p_line: line ?? null,
        p_status: status ?? null,
        p_with_inactive: show === "all",
        p_cursor: pageParam,
        p_limit: PAGE,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.machines ?? []),
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

export function useMachine(code: string, isAsked = true) {
  return useQuery({
    queryKey: ["machine", code],
    queryFn: () => rpc<MachineDetail>("get_machine", { p_code: code }),
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
    enabled: isAsked,
  });
}

/** Repairs of a site, the newest first: those that are open, or every one. */
export function useRepairs(site: string | null, { q, line, machine, type, mine }: MaintenanceSearch, isOpen: boolean) {
  const me = useStore(session).who?.user_id ?? null;
  const p_assignee_id = mine ? me : null;
  return useInfiniteQuery({
    queryKey: ["repairs", site, q, line, machine, type, p_assignee_id, isOpen],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<RepairPage>("get_repairs", {
        p_site: site,
        p_search: q ?? null,
        p_line: line ?? null,
        p_machine: machine ?? null,
        p_type: type ?? null,
        p_assignee_id,
        p_is_open: isOpen ? true : null,
        p_cursor: pageParam,
        p_limit: isOpen ? 200 : PAGE,
        p_with_total: pageParam === null,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => ({ repairs: data.pages.flatMap((page) => page.repairs ?? []), total: data.pages[0]?.total ?? 0 }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

export function useRepair(id: string) {
  return useQuery({
    queryKey: ["repair", id],
    queryFn: () => rpc<RepairDetail>("get_repair", { p_id: Number(id) }),
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
  });
}

export function usePlans(site: string | null, machine: string | undefined, p_with_inactive: boolean) {
  return useQuery({
    queryKey: ["plans", site, machine, p_with_inactive],
    queryFn: () =>
      rpc<PlanRow[]>("get_maintenance_plans", { p_site: site, p_machine: machine ?? null, p_with_inactive }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

/** What people may say is wrong. */
export function useSymptoms() {
  return useQuery({
    queryKey: ["symptoms"],
    queryFn: () => rows<Symptom[]>(db().from("machine_symptoms").select("*").eq("is_active", true).order("position")),
    staleTime: 10 * 60_000,
  });
}

/** What the QR code of a machine opens; needs no account. */
export function useReportForm(token: string) {
  return useQuery({
    queryKey: ["report-form", token],
    queryFn: () => rpc<ReportForm>("get_report_form", { p_token: token }),
  });
}
