import { type DehydratedState, dehydrate, hydrate, QueryClient } from "@tanstack/react-query";
import { forgetCache, keep, kept } from "./local-db";
import { RpcError } from "./rpc";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000, // realtime says when something changed
      gcTime: 24 * 60 * 60_000,
      networkMode: "always",
      retry: (count, error) => count < 2 && error instanceof RpcError && error.canRepeat && navigator.onLine,
      retryDelay: (count) => 400 * 2 ** count + Math.random() * 200,
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: "always", retry: false },
  },
});

// Kept for opening without a network. Short: names of customers do not linger on a shared tablet.
const KEPT_FOR_MS = 12 * 60 * 60_000;
const KEPT = new Set(["queue", "counts", "order", "plant", "staff", "settings"]);

/** Brings back what was on the screen before the reload; it keeps the age that it has. */
export async function restoreQueries(): Promise<void> {
  try {
    const state = (await kept("queries")) as { at: number; data: DehydratedState } | undefined;
    if (state && Date.now() - state.at < KEPT_FOR_MS) hydrate(queries, state.data);
  } catch {
    // A browser without IndexedDB starts empty.
  }
}

export function rememberQueries(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  queries.getQueryCache().subscribe((event) => {
    if (event.type !== "updated" || event.action.type !== "success" || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      const data = dehydrate(queries, {
        shouldDehydrateQuery: (query) => query.state.status === "success" && KEPT.has(String(query.queryKey[0])),
      });
      void keep("queries", { at: Date.now(), data }).catch(() => undefined);
    }, 1000);
  });
}

/** Nothing read before is kept. What is on the screen now (the names of a locked station) is read again, as whoever is here now. */
export async function forgetQueries(): Promise<void> {
  const cancelled = queries.cancelQueries(undefined, { silent: true });
  queries.removeQueries({ type: "inactive" });
  queries.getMutationCache().clear();
  void queries.resetQueries();
  await cancelled;
  await forgetCache().catch(() => undefined);
}
