const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);
const day = (value: unknown) => (/^\d{4}-\d{2}-\d{2}$/.test(String(value)) ? String(value) : undefined);

export const OEE_BY = ["line", "machine", "day", "shift", "hour", "item"] as const;

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
    day: day(raw.day),
    shift: text(raw.shift),
  };
}
