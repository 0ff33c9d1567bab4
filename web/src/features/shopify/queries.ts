import { useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type { InboxEntry, ShopHealth } from "@/lib/types";

// Webhooks have no broadcast of their own; the list is asked again while it is looked at.
const AGAIN_MS = 10_000;

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
