import { useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type { InboxEntry, ShopHealth } from "@/lib/types";

// Webhooks have no broadcast of their own; the list is asked again while it is looked at.
const AGAIN_MS = 10_000;
const SETTLING_MS = 1000;
const PAGE = 500;

export function useShops() {
  return useQuery({
    queryKey: ["shops"],
    queryFn: () => rpc<ShopHealth[]>("channel_status"),
    refetchInterval: AGAIN_MS,
  });
}

export function useInbox(store: string | undefined, status: string | undefined) {
  return useQuery({
    queryKey: ["inbox", store ?? null, status ?? null],
    queryFn: () => rpc<InboxEntry[]>("list_inbox", { p_store: store ?? null, p_status: status ?? null, p_limit: 100 }),
    refetchInterval: AGAIN_MS,
  });
}

/** These webhooks as they are now. The inbox is read by pages, newest first. */
async function readEntries(ids: number[]): Promise<InboxEntry[]> {
  const wanted = new Set(ids);
  const found: InboxEntry[] = [];
  while (wanted.size > 0) {
    const page = await rpc<InboxEntry[]>("list_inbox", { p_before: Math.max(...wanted) + 1, p_limit: PAGE });
    found.push(...page.filter((one) => wanted.delete(one.id)));
    const last = page.at(-1)?.id;
    for (const id of wanted) if (last === undefined || id >= last) wanted.delete(id); // not there any more
  }
  return found;
}

const waits = (entries: InboxEntry[] | undefined) => !entries || entries.some((one) => one.status === "new");

/** What became of webhooks that were queued again; asked until each is settled or has failed once. */
export function useOutcome(ids: number[], enabled: boolean) {
  return useQuery({
    queryKey: ["replay", ids, "outcome"],
    queryFn: () => readEntries(ids),
    enabled,
    gcTime: 0,
    refetchInterval: ({ state }) => (waits(state.data) ? SETTLING_MS : false),
  });
}
