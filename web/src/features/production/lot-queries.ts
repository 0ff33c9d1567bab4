import { useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type { LotDetail } from "./lot-types";

const LOOK_AGAIN_MS = 15_000;
const LISTED = 200;

/** One lot; `sku` where several items have a lot of that code; `withRemoved`: through what was taken out again too. */
export function useLot(code: string, sku: string | undefined, withRemoved: boolean) {
  return useQuery({
    queryKey: ["lot", code, sku, withRemoved],
    queryFn: () =>
      rpc<LotDetail>("get_lot", {
        p_code: code,
        p_sku: sku ?? null,
        p_limit: LISTED,
        p_with_removed: withRemoved,
      }),
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: (before, query) => (query?.queryKey[1] === code && query.queryKey[2] === sku ? before : undefined),
  });
}
