export const ONLY = ["low", "out", "negative"] as const;

/** Which items the list shows; lives in the address. */
export interface ItemSearch {
  q?: string | undefined;
  kind?: string | undefined;
  place?: string | undefined;
  only?: (typeof ONLY)[number] | undefined;
  inactive?: boolean | undefined;
}

export interface StockSearch extends ItemSearch {
  /** The item whose page it is. */
  sku?: string | undefined;
  /** Finished counts as well. */
  all?: boolean | undefined;
}

const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));

/** What an address says; anything else in it is left out. */
export function stockSearch(raw: Record<string, unknown>): StockSearch {
  return {
    q: text(raw.q),
    kind: text(raw.kind),
    place: text(raw.place),
    only: ONLY.find((only) => only === raw.only),
    inactive: raw.inactive === true || undefined,
    sku: text(raw.sku),
    all: raw.all === true || undefined,
  };
}
