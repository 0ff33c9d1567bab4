import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import { isKnown, LOOK_AGAIN_MS, type Scope, type Span } from "./queries";
import type { Mtbf, Mttr } from "./types";

/** A week of the plant's calendar, from its Monday on. */
export interface ReliabilityWeek {
  week: string;
  starts_at: string;
  ends_at: string;
  failures: number;
  restored: number;
  open: number;
  operating_s: number;
  mttr_s: number | null;
  mtbf_s: number | null;
  at_least_s: number | null;
}

export interface Reliability {
  mttr: Mttr[];
  mtbf: Mtbf[];
}
/** How often it breaks and how long until it runs again; by total, machine or line. */
export function useReliability(scope: Scope, span: Span, p_by: string) {
  return useQuery({
    queryKey: ["reliability", scope, span, p_by],
    queryFn: async (): Promise<Reliability> => {
      const asked = { ...scope, ...span, p_by };
      const [mttr, mtbf] = await Promise.all([rpc<Mttr[]>("get_mttr", asked), rpc<Mtbf[]>("get_mtbf", asked)]);
      return { mttr, mtbf };
    },
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: keepPreviousData,
    enabled: isKnown(scope),
  });
}

/** MTTR and MTBF of the last weeks, the oldest first. */
export function useReliabilityWeeks(scope: Scope, p_weeks: number) {
  return useQuery({
    queryKey: ["reliability", "weeks", scope, p_weeks],
    queryFn: () => rpc<ReliabilityWeek[]>("get_reliability_weeks", { ...scope, p_weeks }),
    placeholderData: keepPreviousData,
    enabled: isKnown(scope),
  });
}
