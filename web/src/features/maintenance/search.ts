const text = (value: unknown) => (value === undefined || value === "" ? undefined : String(value));
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);

export const REPAIR_TYPES = ["unscheduled", "scheduled"] as const;
export const MACHINE_STATES = ["broken", "stopped", "maintenance", "operational"] as const;

/** What an address of the maintenance says. */
export interface MaintenanceSearch {
  q?: string | undefined;
  line?: string | undefined;
  machine?: string | undefined;
  type?: (typeof REPAIR_TYPES)[number] | undefined;
  /** Only what I have. */
  mine?: "yes" | undefined;
  /** Machines: in which state; also those out of use. */
  status?: (typeof MACHINE_STATES)[number] | undefined;
  show?: "all" | undefined;
}

/** Anything else in the address is left out. */
export function maintenanceSearch(raw: Record<string, unknown>): MaintenanceSearch {
  return {
    q: text(raw.q),
    line: text(raw.line),
    machine: text(raw.machine),
    type: oneOf(REPAIR_TYPES, raw.type),
    mine: oneOf(["yes"] as const, raw.mine),
    status: oneOf(MACHINE_STATES, raw.status),
    show: oneOf(["all"] as const, raw.show),
  };
}
