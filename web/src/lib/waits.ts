/** What a command is about: those of one thing go out one after the other, and its page can be opened. */
export type About = "ticket" | "order" | "machine" | "repair";

interface Rule {
  about: About;
  /** The arguments that name it, the first that is given; tickets are named by whoever gives the command. */
  of?: string[];
  /** The argument that says when it happened: the time of the tap, however late it goes out. */
  at?: string;
  /** Each one is more than before: two alike that wait are one that was tapped twice, whatever was given between. */
  adds?: true;
}
const TICKET: Rule = { about: "ticket" };
const STEP: Rule = { about: "order", of: ["p_code"] };
const PIECES: Rule = { ...STEP, adds: true };
const REPAIR: Rule = { about: "repair", of: ["p_id"], at: "p_at" };
const STOP: Rule = { about: "machine", of: ["p_machine"], at: "p_at" };

/** What may be sent later: commands that say exactly what they want of which thing, whatever happened meanwhile. A scan
 * does not (its meaning depends on the ticket's state), nor undo, cancel, a return or an edit. */
const RULES = new Map<string, Rule>([
  ["handle_print_barcode", TICKET],
  ["complete_filling", TICKET],
  ["start_covering", TICKET],
  ["complete_covering", TICKET],
  ["start_decorating", TICKET],
  ["complete_decorating", TICKET],
  ["start_packing", TICKET],
  ["complete_packing", TICKET],
  ["assign_staff", TICKET],
  ["unassign_staff", TICKET],
  ["set_storage", TICKET],
  ["set_priority", TICKET],
  ["start_step", STEP],
  ["pause_step", STEP],
  ["complete_step", STEP],
  ["report_production", PIECES],
  ["record_quality", PIECES],
  ["record_count", { ...PIECES, at: "p_read_at" }],
  ["consume_lot", { ...PIECES, of: ["p_order"] }],
  ["start_stop", STOP],
  ["end_stop", STOP],
  ["answer_stop", { about: "machine", of: ["p_machine"] }],
  ["classify_stop", { about: "machine", of: ["p_machine", "p_stop_id"] }],
  ["report_repair", { about: "machine", of: ["p_machine"], at: "p_occurred_at" }],
  ["acknowledge_repair", REPAIR],
  ["start_repair", REPAIR],
  ["wait_repair", REPAIR],
  ["complete_repair", REPAIR],
  ["verify_repair", REPAIR],
  ["close_repair", REPAIR],
]);

export const isQueueable = (name: string): boolean => RULES.has(name);
export const adds = (name: string): boolean => RULES.get(name)?.adds ?? false;
export const aboutOf = (name: string): About | undefined => RULES.get(name)?.about;

/** What the command is about, by its arguments. */
export function entityOf(name: string, given: object): string | undefined {
  const values = given as Record<string, unknown>;
  const named = RULES.get(name)?.of?.find((field) => values[field] !== null && values[field] !== undefined);
  return named && String(values[named]);
}

/** The same, with the time of the tap where nobody has said when it happened. */
export function withTime<T extends object>(name: string, given: T, at: number): T {
  const field = RULES.get(name)?.at;
  if (!field || (given as Record<string, unknown>)[field]) return given;
  return { ...given, [field]: new Date(at).toISOString() };
}
