import type { RpcName } from "@/lib/rpc";
import { give } from "@/ui/give";
import type { PrintAnswer } from "./types";

/**
 * Gives a print command; never queued without a network: a label that comes out hours later is a wrong label.
 * True when the server took it; what it said, or why not, is shown.
 */
export async function print(name: RpcName, given: object): Promise<boolean> {
  const answer = await give<Partial<PrintAnswer> | null>(name, given as never, {
    streams: ["print"],
    said: (data) => data?.message,
    same: (data) => data?.changed === false,
  });
  return answer !== undefined;
}
