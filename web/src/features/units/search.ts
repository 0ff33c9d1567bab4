import type { TraceQuery, UnitStatus } from "./types";

const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
export const STATUSES: UnitStatus[] = [
  "CREATED",
  "FLASHED",
  "TEST_PASS",
  "ASSEMBLED",
  "PACKED",
  "IN_FINISHED_STOCK",
  "REWORK",
  "ON_HOLD",
  "SCRAPPED",
];
const TABS = ["unit", "box", "pallet", "order", "production_order", "lot", "serial"] as const;

/** What an address of the units says: filters, what is traced, which variant is open. */
export interface UnitSearch extends TraceQuery {
  q?: string | undefined;
  status?: UnitStatus | undefined;
  variant?: string | undefined;
  /** Recall: which kind of things is shown. */
  tab?: (typeof TABS)[number] | undefined;
  /** A station: the unit on the bench. */
  sn?: string | undefined;
}

/** Anything else in the address is left out. */
export function unitSearch(raw: Record<string, unknown>): UnitSearch {
  return {
    q: text(raw.q),
    status: STATUSES.find((status) => status === raw.status),
    variant: text(raw.variant),
    tab: TABS.find((tab) => tab === raw.tab),
    sn: text(raw.sn),
    key: text(raw.key),
    kind: text(raw.kind),
    sku: text(raw.sku),
    first: text(raw.first),
    last: text(raw.last),
    since: text(raw.since),
    until: text(raw.until),
  };
}
