import { command } from "@/lib/commands";
import { explain, queuedText } from "@/lib/messages";
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

/** What became of a command that was not refused; without `data` it waits for its answer. */
export interface Given<T> {
  data?: T;
}

/**
 * Gives a command and shows what came of it. The answer, nothing in it where none has come and the command waits for it,
 * or undefined where the server refused: then its sentence is shown.
 */
export async function give<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  how: How<T>,
): Promise<Given<T> | undefined> {
  try {
    const answer = await command<T, N>(name, given);
    if (answer.state === "queued") {
      toast("wait", queuedText(answer.entry));
      return {};
    }
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
