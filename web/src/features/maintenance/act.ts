import type { RpcArgs, RpcName } from "@/lib/rpc";
import { type Given, give } from "@/ui/give";

/** Whatever maintenance does; stops and machines go with repairs. */
const STREAMS = ["repair", "machine", "line", "stop", "stock"];

/** A command of the maintenance; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function maintain<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  said?: (data: T) => string | null | undefined,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<Given<T> | undefined> {
  return give<T, N>(name, given, { streams: STREAMS, ...(said && { said }), ...(next && { next }) });
}
