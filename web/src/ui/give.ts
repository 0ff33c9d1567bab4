import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { refetchStreams } from "@/lib/refetch";
import type { RpcArgs, RpcName } from "@/lib/rpc";
import { toast } from "./toast";

interface How<T> {
  /** What shows these streams is read again. */
  streams: string[];
  /** What to say when it is done; nothing when it gives none. */
  said?: (data: T) => string | null | undefined;
  /** Did nothing change? Then it is said in another tone. */
  same?: (data: T) => boolean;
  /** A way on or back, offered beside what is said. */
  next?: (data: T) => { label: string; run: () => void } | undefined;
}

/**
 * Gives a command that never waits for a network, and shows what came of it. The answer, or undefined where the server
 * refused: then its sentence is shown.
 */
export async function give<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  how: How<T>,
): Promise<{ data: T } | undefined> {
  try {
    const answer = await command<T, N>(name, given);
    if (answer.state !== "done") return undefined; // never: without an entity it does not wait
    const { data } = answer;
    const text = how.said?.(data);
    if (text) toast(how.same?.(data) ? "wait" : "ok", text, how.next?.(data));
    return { data };
  } catch (error) {
    toast("bad", explain(error));
    return undefined;
  } finally {
    refetchStreams(...how.streams);
  }
}
