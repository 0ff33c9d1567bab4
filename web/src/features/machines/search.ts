const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);
const day = (value: unknown) => (/^\d{4}-\d{2}-\d{2}$/.test(String(value)) ? String(value) : undefined);

const instant = (value: unknown) => (Number.isNaN(Date.parse(String(value))) ? undefined : String(value));

export const FACT_KINDS = ["stop", "count", "state"] as const;
export type FactKind = (typeof FACT_KINDS)[number];
export const OEE_BY = ["site", "line", "machine", "day", "shift", "hour", "item"] as const;

/** What an address of the machines says. */
export interface MachineSearch {
  /** Of one line, one machine, one work centre. */
  line?: string | undefined;
  machine?: string | undefined;
  centre?: string | undefined;
  /** Andon: only what does not run. Stops: also those that have a reason. */
  show?: "standing" | "all" | undefined;
  /** A range of plant days. */
  from?: string | undefined;
  to?: string | undefined;
  /** OEE: drilled down by. */
  by?: (typeof OEE_BY)[number] | undefined;
  /** OEE: the facts that it was made of, of one kind or all; of one product (- for none); of a part of the time. */
  facts?: FactKind | "all" | undefined;
  item?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  /** Shift board: which shift. */
  day?: string | undefined;
  shift?: string | undefined;
}

/** Anything else in the address is left out. */
export function machineSearch(raw: Record<string, unknown>): MachineSearch {
  return {
    line: text(raw.line),
    machine: text(raw.machine),
    centre: text(raw.centre),
    show: oneOf(["standing", "all"] as const, raw.show),
    from: day(raw.from),
    to: day(raw.to),
    by: oneOf(OEE_BY, raw.by),
    facts: oneOf([...FACT_KINDS, "all"] as const, raw.facts),
    item: text(raw.item),
    since: instant(raw.since),
    until: instant(raw.until),
    day: day(raw.day),
    shift: text(raw.shift),
  };
}
