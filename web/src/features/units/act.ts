import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { takeScans } from "@/features/workflows/scan/state";
import { RpcError, type RpcName } from "@/lib/rpc";
import { give } from "@/ui/give";
import { readUnit } from "./queries";
import type { UnitDetail } from "./types";

export const STREAMS = ["unit", "kit", "variant", "lot"];

/** A command about units; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function unitCommand<T>(
  name: RpcName,
  given: object,
  said?: (data: T) => string | null | undefined,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<{ data: T } | undefined> {
  const how = { streams: STREAMS, ...(said && { said }), ...(next && { next }) };
  return give<T>(name, given as never, how) as Promise<{ data: T } | undefined>; // none of them may wait for its answer
}

/** The unit that a scanned code names; null when it is no unit's. Throws RpcError. */
export async function scannedUnit(code: string): Promise<UnitDetail | null> {
  try {
    return await readUnit(code);
  } catch (error) {
    if (error instanceof RpcError && error.hint === "unit.unknown") return null;
    throw error;
  }
}

/** While a page about units is open a scanned unit opens its page; other codes stay what they are. */
export function useUnitScan(): void {
  const navigate = useNavigate();
  useEffect(
    () =>
      takeScans(async (code) => {
        const found = await scannedUnit(code);
        if (found) void navigate({ to: "/units/$sn", params: { sn: found.unit.sn } });
        return found !== null;
      }),
    [navigate],
  );
}
