const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);

/** What an address of the print farm says: filters, and which dialog is open. */
export interface FarmSearch {
  /** Parts: what is looked for, and which are shown. */
  q?: string | undefined;
  show?: "short" | "missing" | undefined;
  /** Orders: which are shown, and whose explanation is open. */
  status?: "open" | "waiting" | "fulfilled" | undefined;
  store?: string | undefined;
  sku?: string | undefined;
  code?: string | undefined;
  /** Prints: which are shown, and which one is open. */
  filter?: string | undefined;
  machine?: string | undefined;
  run?: number | undefined;
}

/** Anything else in the address is left out. */
export function farmSearch(raw: Record<string, unknown>): FarmSearch {
  const run = Number(raw.run);
  return {
    q: text(raw.q),
    show: oneOf(["short", "missing"] as const, raw.show),
    status: oneOf(["open", "waiting", "fulfilled"] as const, raw.status),
    store: text(raw.store),
    sku: text(raw.sku),
    code: text(raw.code),
    filter: oneOf(["attention", "unmapped", "review", "plates", "counted", "failed"] as const, raw.filter),
    machine: text(raw.machine),
    run: Number.isSafeInteger(run) && run > 0 ? run : undefined,
  };
}
