import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { takeScans } from "@/features/workflows/scan/state";
import { RpcError } from "@/lib/rpc";
import { readItem } from "./queries";
import type { Item } from "./types";

/** The item that a scanned code names; null when it is no item's. Throws RpcError. */
export async function scannedItem(code: string): Promise<Item | null> {
  try {
    return await readItem(code);
  } catch (error) {
    if (error instanceof RpcError && error.hint === "item.unknown") return null;
    throw error;
  }
}

/** While a page of the stock is open a scanned item opens its page; other codes stay what they are. */
export function useItemScan(): void {
  const navigate = useNavigate();
  useEffect(
    () =>
      takeScans(async (code) => {
        const item = await scannedItem(code).catch(() => ({ sku: code })); // its page says why it cannot be shown
        if (item) void navigate({ to: "/stock/item", search: { sku: item.sku } });
        return item !== null;
      }),
    [navigate],
  );
}
