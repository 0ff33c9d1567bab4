import { PRIORITIES, type Priority, STAGES, type Stage } from "@/lib/types";

export interface BoardSearch {
  store?: string | undefined;
  stage?: Stage | undefined;
  q?: string | undefined;
  priority?: Priority | undefined;
  storage?: string | undefined;
  person?: string | undefined;
}

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);
const oneOf = <T extends string>(list: readonly T[], value: unknown) => list.find((one) => one === value);

/** What an address says; anything else in it is left out. */
export function boardSearch(raw: Record<string, unknown>): BoardSearch {
  return {
    store: text(raw.store),
    stage: oneOf([...STAGES, "Complete"] as const, raw.stage),
    q: raw.q === undefined ? undefined : String(raw.q),
    priority: oneOf(PRIORITIES, raw.priority),
    storage: text(raw.storage),
    person: text(raw.person),
  };
}
