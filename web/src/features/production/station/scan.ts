import { scannedItem } from "@/features/inventory/scan";
import { queries } from "@/lib/query";
import { rows, toRpcError } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import type { ScanResult } from "@/lib/types";
import { centresQuery } from "../queries";
import { isGs1 } from "./gs1";

/** What a scanned code names at a work centre. */
export type Found =
  | { kind: "centre"; centre: string }
  | { kind: "order"; code: string; lot?: string }
  /** A lot that no open order makes, or an item: what goes in. */
  | { kind: "material"; sku: string; lot?: string }
  | { kind: "choose"; lots: string[] }
  | { kind: "nothing" };

type OnBench = { code: string; product_sku: string | null } | null;

interface LotRow {
  code: string;
  sku: string;
  production_lots: { production_orders: { code: string } | null } | null;
}

const spellings = (code: string) => [...new Set([code, code.toUpperCase(), code.toLowerCase()])];

async function lotsNamed(code: string, sku?: string): Promise<LotRow[]> {
  const wanted = "code, sku, production_lots(production_orders(code))";
  const lots = db().from("lots").select(wanted).in("code", spellings(code));
  return rows<LotRow[]>((sku === undefined ? lots : lots.eq("sku", sku)).limit(20));
}

/** A lot of the order on the bench says which pieces, one of another order of that product is that order. */
function meantBy(lot: LotRow, on: OnBench): Found {
  const made = lot.production_lots?.production_orders?.code;
  const isOrder = made !== undefined && (!on || made === on.code || lot.sku === on.product_sku);
  return isOrder ? { kind: "order", code: made, lot: lot.code } : { kind: "material", sku: lot.sku, lot: lot.code };
}

/** GS1 codes are read by the gatekeeper and understood by the database. Throws RpcError. */
async function gs1(code: string, on: OnBench): Promise<Found> {
  const answer = await db().post("/api/v1/scans/gs1", { code });
  const said = (await answer.json()) as Omit<ScanResult, "action"> & { action?: string };
  if (!answer.ok) throw toRpcError(said, answer.status);
  const { sku, lot } = said.details as { sku?: string; lot?: string };
  const candidates = (said.candidates ?? []) as unknown as { lot: string }[];
  if (said.action === "ask") return { kind: "choose", lots: candidates.map((one) => one.lot) };
  if (sku && lot) {
    const [found] = await lotsNamed(lot, sku);
    return found ? meantBy(found, on) : { kind: "material", sku, lot };
  }
  return sku ? { kind: "material", sku } : { kind: "nothing" };
}

/** The code of an order, of a work centre, of a lot, or of an item. `on`: the order on the bench. */
export async function find(scanned: string, on: OnBench): Promise<Found> {
  const code = scanned.trim();
  if (isGs1(code)) return gs1(code, on);
  const ways = spellings(code);
  const [centres, orders] = await Promise.all([
    queries.ensureQueryData(centresQuery),
    rows<{ code: string }[]>(db().from("production_orders").select("code").in("code", ways).limit(1)),
  ]);
  if (orders[0]) return { kind: "order", code: orders[0].code };
  const centre = centres.find((one) => ways.includes(one.code));
  if (centre) return { kind: "centre", centre: centre.code };
  const lots = await lotsNamed(code);
  const own = lots.find((lot) => on && lot.production_lots?.production_orders?.code === on.code);
  const lot = own ?? lots[0];
  if (lot && (own || lots.length === 1)) return meantBy(lot, on);
  if (lot) return { kind: "choose", lots: lots.map((one) => `${one.sku} ${one.code}`) };
  const item = await scannedItem(code);
  return item ? { kind: "material", sku: item.sku } : { kind: "nothing" };
}
