import { useLingui } from "@lingui/react/macro";
import { useCallback } from "react";
import { type Answer, command } from "@/lib/commands";
import { signal } from "@/lib/feedback";
import { commandName } from "@/lib/labels";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { refetchAfter } from "@/lib/refetch";
import type { RpcArgs, RpcName } from "@/lib/rpc";
import type { OrderChange } from "@/lib/types";
import { toast } from "@/ui/toast";

const touched = (ids: string[]) => refetchAfter(ids.map((stream_id) => ({ stream: "order", stream_id })));

/** Shows at once what the server answered, then reads the lists again. */
export function absorb(changes: OrderChange[]): void {
  for (const change of changes) queries.setQueryData(["order", change.order_row.id], change.order_row);
  touched(changes.map((change) => change.order_row.id));
}

const listed = (data: OrderChange | OrderChange[]) => (Array.isArray(data) ? data : [data]);

/**
 * Commands about tickets, with what a person needs to see: done (and a way back), not sent yet, or why not.
 * Each answers whether the dialog that gave it may close.
 */
export function useOrderCommands() {
  const { t } = useLingui();

  const undo = useCallback(
    async (id?: string) => {
      try {
        const answer = await command<OrderChange[]>("undo_last", { p_order_id: id ?? null });
        if (answer.state === "done") absorb(answer.data);
        toast("ok", t`Undone.`);
      } catch (error) {
        signal("bad");
        toast("bad", explain(error));
      }
    },
    [t],
  );

  const tell = useCallback(
    (answer: Answer<OrderChange | OrderChange[]>, name: RpcName, id: string, entity: string | undefined) => {
      const what = commandName(name);
      if (answer.state === "queued")
        return toast("wait", t`Not sent yet: ${what} (${id}). It goes out when the network is back.`);
      const changes = listed(answer.data);
      absorb(changes);
      if (!changes.some((change) => change.changed)) return toast("ok", t`${id}: nothing to change.`);
      toast("ok", `${id}: ${what}`, { label: t`Undo`, run: () => void undo(entity) });
    },
    [t, undo],
  );

  const act = useCallback(
    async <N extends RpcName>(name: N, given: Omit<RpcArgs<N>, "p_request_id">, id: string): Promise<boolean> => {
      try {
        tell(await command<OrderChange, N>(name, given, id), name, id, id);
        return true;
      } catch (error) {
        signal("bad");
        toast("bad", explain(error));
        touched([id]);
        return false;
      }
    },
    [tell],
  );

  const assignMany = useCallback(
    async (ids: string[], staff: string | null): Promise<boolean> => {
      try {
        const given = { p_order_ids: ids, p_staff_id: staff };
        const answer = await command<OrderChange[], "assign_staff_bulk">("assign_staff_bulk", given);
        tell(answer, "assign_staff_bulk", t`${ids.length} tickets`, ids.length === 1 ? ids[0] : undefined);
        return true;
      } catch (error) {
        signal("bad");
        toast("bad", explain(error));
        return false;
      }
    },
    [t, tell],
  );

  return { act, assignMany, undo };
}
