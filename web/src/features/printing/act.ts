import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { refetchPrinting } from "@/lib/refetch";
import type { RpcName } from "@/lib/rpc";
import { toast } from "@/ui/toast";
import type { PrintAnswer } from "./types";

/**
 * Gives a print command; never queued without a network: a label that comes out hours later is a wrong label.
 * True when the server took it; what it said, or why not, is shown.
 */
export async function print(name: RpcName, given: object): Promise<boolean> {
  try {
    const answer = await command<Partial<PrintAnswer> | null>(name, given as never);
    if (answer.state === "done" && answer.data?.message)
      toast(answer.data.changed === false ? "wait" : "ok", answer.data.message);
    refetchPrinting();
    return true;
  } catch (error) {
    toast("bad", explain(error));
    return false;
  }
}
