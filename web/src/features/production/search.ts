const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);
const day = (value: unknown) => (/^\d{4}-\d{2}-\d{2}$/.test(String(value)) ? String(value) : undefined);

export const APPROVAL_TYPES = ["OVERTIME", "ENABLE_EQUIPMENT", "DISABLE_EQUIPMENT", "SPECIAL_OPERATION"] as const;

export const ORDER_STATES = ["OPEN_NOT_STARTED", "IN_PROGRESS", "OPEN_PARTIAL", "CLOSED", "CANCELLED"] as const;
export const ORDER_SORTS = ["priority", "due", "code", "newest"] as const;
const PARETO_BY = ["time", "cost"] as const;
const KINDS = ["PRODUCTION", "REPLENISHMENT"] as const;

/** What an address of production says: filters, and what is open. */
export interface ProductionSearch {
  /** Station: the order on the bench, and its step where it has several there. */
  code?: string | undefined;
  step?: number | undefined;
  /** Approvals: all there ever were, not only those that wait; and of one type. */
  show?: "all" | undefined;
  type?: (typeof APPROVAL_TYPES)[number] | undefined;
  /** Quality: of one product, in a range of days. */
  sku?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  /** Quality: what the Pareto weighs besides pieces. */
  by?: (typeof PARETO_BY)[number] | undefined;
  /** Board: what is looked for, which orders are shown, in which order. */
  q?: string | undefined;
  status?: (typeof ORDER_STATES)[number] | undefined;
  kind?: (typeof KINDS)[number] | undefined;
  run?: "yes" | "no" | undefined;
  sort?: (typeof ORDER_SORTS)[number] | undefined;
}

/** Anything else in the address is left out. */
export function productionSearch(raw: Record<string, unknown>): ProductionSearch {
  const step = Number(raw.step);
  return {
    code: text(raw.code),
    step: Number.isSafeInteger(step) && step > 0 ? step : undefined,
    show: oneOf(["all"] as const, raw.show),
    type: oneOf(APPROVAL_TYPES, raw.type),
    sku: text(raw.sku),
    from: day(raw.from),
    to: day(raw.to),
    by: oneOf(PARETO_BY, raw.by),
    q: text(raw.q),
    status: oneOf(ORDER_STATES, raw.status),
    kind: oneOf(KINDS, raw.kind),
    run: oneOf(["yes", "no"] as const, raw.run),
    sort: oneOf(ORDER_SORTS, raw.sort),
  };
}
