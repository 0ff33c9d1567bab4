import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { RpcName } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { formatNumber } from "@/lib/time";
import { give } from "@/ui/give";
import type { Item, StockChange } from "./types";

export const STREAMS = ["stock", "item", "count"];

/** Takes back a command made by hand. True when the server did. */
export async function takeBack(change: StockChange, reason: string): Promise<boolean> {
  const answer = await give<StockChange>("reverse_stock", { p_txn_ids: change.txn_ids, p_reason: reason } as never, {
    streams: STREAMS,
    said: () => i18n._(msg`Taken back.`),
  });
  return answer !== undefined;
}

/** What lies there now, with a way back for those who may. Throws nothing. */
export function said(item: Item): (data: StockChange) => string {
  return (data) => {
    const [there, uom, title] = [formatNumber(data.on_hand), item.uom, item.title];
    return i18n._(msg`${title}: ${there} ${uom} on hand.`);
  };
}

export function wayBack(data: StockChange): { label: string; run: () => void } | undefined {
  if (!may(session.get().who, "inventory.adjust")) return undefined;
  const reason = i18n._(msg`Taken back right away`);
  return { label: i18n._(msg`Undo`), run: () => void takeBack(data, reason) };
}

/** Gives any other command of the stock. True when the server took it; else its sentence was shown. */
export async function giveStock(name: RpcName, given: object, done?: string): Promise<boolean> {
  return (await give(name, given as never, { streams: STREAMS, said: () => done })) !== undefined;
}
