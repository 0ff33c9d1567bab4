import type { RpcArgs, RpcName } from "@/lib/rpc";
import { type Given, give } from "@/ui/give";

/** Whatever is done on the floor: orders, their lots, what is made again, and what waits for a decision. */
export const STREAMS = ["production_order", "approval", "work_centre", "lot", "routing"];

/** A command of production; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function produce<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  said?: (data: T) => string | null | undefined,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<Given<T> | undefined> {
  return give<T, N>(name, given, { streams: STREAMS, ...(said && { said }), ...(next && { next }) });
}
