import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { rows, rpc } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import type { FactPage, JobTrouble, SetAside } from "./fact-types";
import type { Span } from "./queries";
import type { FactKind } from "./search";

const DAY_MS = 86_400_000;
const FACTS = 50;
/** So long a machine page speaks of what went wrong once. */
const NOTED_DAYS = 7;

export interface FactsAsked extends Span {
  p_machine: string;
  p_kind: FactKind | null;
  p_sku: string | null;
}
/** What the figures of a machine were made of, page by page, in the order of time. */
export function useFacts(asked: FactsAsked) {
  return useInfiniteQuery({
    queryKey: ["oee", "facts", asked],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => rpc<FactPage>("get_oee_facts", { ...asked, p_cursor: pageParam, p_limit: FACTS }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.facts ?? []),
    placeholderData: keepPreviousData,
  });
}

const since = () => new Date(Date.now() - NOTED_DAYS * DAY_MS).toISOString();

/** What a machine sent in the last days with a wrong clock: the latest, and how many; null: nothing. */
export function useSetAside(machine: string) {
  return useQuery({
    queryKey: ["machine", machine, "set-aside"],
    queryFn: async (): Promise<SetAside | null> => {
      const answer = await db()
        .from("quarantined_events")
        .select("kind, code, event, received_at", { count: "exact" })
        .eq("machine", machine)
        .gte("received_at", since())
        .order("id", { ascending: false })
        .limit(1);
      const [latest] = await rows<Omit<SetAside, "count">[]>(Promise.resolve(answer));
      return latest ? { ...latest, count: answer.count ?? 1 } : null;
    },
  });
}

/** What the server could not do by itself for a machine in the last days; it is told once for each reason. */
export function useJobTroubles(machine: string, isAsked: boolean) {
  return useQuery({
    queryKey: ["machine", machine, "troubles"],
    queryFn: () =>
      rows<JobTrouble[]>(
        db()
          .from("events")
          .select("id, at, payload")
          .eq("stream", "machine")
          .eq("stream_id", machine)
          .eq("event", "machine.job_failed")
          .gte("at", since())
          .order("id", { ascending: false })
          .limit(5),
      ),
    enabled: isAsked,
  });
}
