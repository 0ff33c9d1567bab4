/** What figures were made of: a stop, a count or a state; what the kind does not know is null. */
export interface Fact {
  at: string;
  kind: "stop" | "count" | "state";
  key: string;
  ends_at: string | null;
  state: string | null;
  source: string | null;
  reason: string | null;
  title: string | null;
  time_class: string | null;
  policy: string | null;
  lost_s: number | null;
  sku: string | null;
  order: string | null;
  good: number | null;
  scrap: number | null;
  rework: number | null;
  is_planned: boolean | null;
  reverses: string | null;
  by_name: string | null;
  recorded_at: string | null;
  comment: string | null;
}
export interface FactPage {
  facts: Fact[] | null;
  next_cursor: string | null;
}

/** The latest row of a machine that was set aside because its clock is wrong, and how many there are. */
export interface SetAside {
  kind: string;
  code: string;
  event: { at?: string };
  received_at: string;
  count: number;
}
/** What the server could not do for a machine by itself, as it was told. */
export interface JobTrouble {
  id: number;
  at: string;
  payload: { job: string; error: string };
}
