import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { useSiteZone } from "@/features/production/queries";
import { rows, rpc } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import { instantOf, plantDay } from "@/lib/time";
import type { MachineSearch } from "./search";
import type {
  Andon,
  Handover,
  LossRow,
  MicroStops,
  OeeRow,
  Piece,
  ShiftHour,
  ShiftStart,
  StopReason,
  StopRow,
  TableUse,
} from "./types";

// A machine that says nothing becomes silent by the clock, and a shift ends by it.
export const LOOK_AGAIN_MS = 20_000;
const DAY_MS = 86_400_000;

/** What the address says, and a function that changes some of it. */
export function useFilter(): [MachineSearch, (change: MachineSearch) => void] {
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as MachineSearch;
  return [filter, (change) => void navigate({ to: ".", search: { ...filter, ...change } as never, replace: true })];
}

/** A time that figures are asked for. null: the shift that is on, else today. */
export interface Span {
  p_from: string | null;
  p_to: string | null;
}

/** The days of the address as instants; without any the last `days` (1: today). */
export function useSpan(days: number): Span {
  const zone = useSiteZone();
  const [{ from, to }] = useFilter();
  const today = plantDay(zone);
  return useMemo(() => {
    const first =
      from ?? new Date(Date.parse(`${to ?? today}T00:00:00Z`) - (days - 1) * DAY_MS).toISOString().slice(0, 10);
    const last = to ?? [first, today].sort()[1] ?? today;
    return { p_from: instantOf(first, false, zone), p_to: instantOf(last, true, zone) };
  }, [from, to, zone, today, days]);
}

/** Every machine now. */
export function useAndon(of: { site?: string | null; line?: string | undefined; machine?: string | undefined }) {
  return useQuery({
    queryKey: ["andon", of],
    queryFn: () =>
      rpc<Andon[]>("get_andon", { p_site: of.site ?? null, p_line: of.line ?? null, p_machine: of.machine ?? null }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: of.machine !== undefined || (of.site ?? null) !== null,
  });
}

/** Of what figures are asked: a machine, a line, a work centre, else a site. */
export interface Scope {
  p_machine: string | null;
  p_line: string | null;
  p_work_centre: string | null;
  p_site: string | null;
}
/** The scope that the address says, at a site. */
export function useScope(site: string | null): Scope {
  const [{ machine, line, centre }] = useFilter();
  return useMemo(
    () => ({ p_machine: machine ?? null, p_line: line ?? null, p_work_centre: centre ?? null, p_site: site }),
    [machine, line, centre, site],
  );
}
export const isKnown = (scope: Partial<Scope>) => Object.values(scope).some((one) => one !== null);

export function useOee(scope: Scope, span: Span, p_by: string) {
  return useQuery({
    queryKey: ["oee", scope, span, p_by],
    queryFn: () => rpc<OeeRow[]>("get_oee", { ...scope, ...span, p_by }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: p_by === "site" || isKnown(scope),
  });
}

export function useLosses(scope: Scope, span: Span) {
  return useQuery({
    queryKey: ["losses", scope, span],
    queryFn: () => rpc<LossRow[]>("get_losses", { ...scope, ...span }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: isKnown(scope),
  });
}

export function useTimeline(machine: string, span: Span) {
  return useQuery({
    queryKey: ["timeline", machine, span],
    queryFn: () => rpc<Piece[]>("get_machine_timeline", { p_machine: machine, ...span }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
}

export interface StopsAsked extends Span {
  p_machine: string | null;
  p_site: string | null;
  p_only_unclassified: boolean;
}
export function useStops(asked: StopsAsked) {
  return useQuery({
    queryKey: ["stops", asked],
    queryFn: () => rpc<StopRow[]>("get_stops", { ...asked, p_limit: 500 }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: asked.p_machine !== null || asked.p_site !== null,
  });
}

/** Reasons that can be given, in the order in which they are shown. */
export function useStopReasons() {
  return useQuery({
    queryKey: ["stop-reasons"],
    queryFn: () =>
      rows<StopReason[]>(db().from("stop_reasons").select("*").eq("is_active", true).order("position").order("code")),
    staleTime: 5 * 60_000,
  });
}

export function useShiftBoard(machine: string | undefined, day: string | undefined, shift: string | undefined) {
  return useQuery({
    queryKey: ["shift-board", machine, day, shift],
    queryFn: () =>
      rpc<ShiftHour[]>("get_shift_board", { p_machine: machine, p_shift_date: day ?? null, p_shift: shift ?? null }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    retry: false,
    enabled: machine !== undefined,
  });
}

/** The shifts of a machine on a day. */
export function useShifts(machine: string | undefined, day: string) {
  return useQuery({
    queryKey: ["shifts", machine, day],
    queryFn: () =>
      rows<{ shift: string; title: string }[]>(
        db()
          .from("shift_instances")
          .select("shift, title, during")
          .eq("machine", machine ?? "")
          .eq("shift_date", day)
          .order("during"),
      ),
    enabled: machine !== undefined,
  });
}

export function useMicroStops({ p_machine, p_line, p_site }: Scope, span: Span) {
  return useQuery({
    queryKey: ["microstops", p_machine, p_line, p_site, span],
    queryFn: () => rpc<MicroStops>("get_microstops", { p_machine, p_line, p_site, ...span }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: p_site !== null,
  });
}

export function useTableUse(site: string | null, span: Span) {
  return useQuery({
    queryKey: ["oee", "tables", site, span],
    queryFn: () => rpc<TableUse[]>("get_table_utilization", { p_site: site, ...span }),
    placeholderData: keepPreviousData,
    enabled: site !== null,
  });
}

/** What one has to know to begin at a work centre. */
export function useShiftStart(centre: string | undefined) {
  return useQuery({
    queryKey: ["shift-start", centre],
    queryFn: () => rpc<ShiftStart>("start_of_shift", { p_work_centre: centre }),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: centre !== undefined,
  });
}

/** What earlier shifts left behind, the latest first. */
export function useHandovers(centre: string | undefined) {
  return useQuery({
    queryKey: ["handovers", centre],
    queryFn: () =>
      rows<Handover[]>(
        db()
          .from("shift_handovers")
          .select("*")
          .eq("work_centre", centre ?? "")
          .order("signed_at", { ascending: false })
          .limit(20),
      ),
    enabled: centre !== undefined,
  });
}
