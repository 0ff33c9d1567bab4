import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { RpcArgs, RpcName } from "@/lib/rpc";
import { give } from "@/ui/give";
import type { RoutedChange } from "./types";

/** Whatever is done on the floor: orders, their lots, what is made again, and what waits for a decision. */
export const STREAMS = ["production_order", "approval", "work_centre", "lot"];

/** A command of production; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function produce<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  said?: (data: T) => string | null | undefined,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<{ data: T } | undefined> {
  return give<T, N>(name, given, { streams: STREAMS, ...(said && { said }), ...(next && { next }) });
}

/** The way back from the last report on an order. */
export const undoReport = (code: string) => ({
  label: i18n._(msg`Undo`),
  run: () => void produce<RoutedChange>("undo_production", { p_code: code } as never, () => i18n._(msg`Undone.`)),
});
