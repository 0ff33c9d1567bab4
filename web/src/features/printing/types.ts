import type { Json } from "@/lib/types";

export const FIELD_KINDS = ["text", "code128", "qr", "datamatrix", "box", "image"] as const;
export type FieldKind = (typeof FIELD_KINDS)[number];

/** One field of a template; mm from the top left corner. Which keys a kind has: sql/M09_printing/templates.sql. */
export interface LabelField {
  kind: FieldKind;
  name?: string;
  x: number;
  y: number;
  w?: number;
  h?: number;
  lines?: number;
  value?: string;
  overflow?: "shrink" | "cut" | "refuse";
  align?: "left" | "center" | "right";
  bold?: boolean;
  module_mm?: number;
  text?: boolean;
  line_mm?: number;
  pbm_base64?: string;
}

export interface LabelProof {
  id: number;
  dpi: number;
  passed: boolean;
  at: string;
  results: { cases: number; wrong: { case_no: number; expected: Json; read: Json }[] };
}

export interface LabelVersion {
  id: number;
  template: string;
  version: number;
  width_mm: number;
  height_mm: number;
  fields: LabelField[];
  status: "draft" | "active" | "retired";
  created_at: string;
  activated_at: string | null;
  is_proved: boolean;
  variables: string[];
  proofs: LabelProof[];
}

export interface LabelTemplate {
  code: string;
  label_type: string;
  name: string;
  media: string | null;
  site: string | null;
  is_default: boolean;
  versions: LabelVersion[];
}

export interface LabelTemplateRow {
  code: string;
  label_type: string;
  name: string;
  media: string | null;
  is_default: boolean;
  width_mm: number;
  height_mm: number;
  active_version: number | null;
  newest_version: number;
  newest_status: LabelVersion["status"];
  newest_is_proved: boolean;
}

export interface ProofCase {
  case_no: number;
  dpi: number;
  width_mm: number;
  height_mm: number;
  payload: string;
}

/** The keys that a form offers for each kind, in the order of the form. */
export const FIELD_KEYS: Record<FieldKind, (keyof LabelField)[]> = {
  text: ["value", "x", "y", "w", "h", "lines", "align", "overflow", "bold"],
  code128: ["value", "x", "y", "w", "h", "module_mm", "align", "text"],
  qr: ["value", "x", "y", "w", "module_mm", "align"],
  datamatrix: ["value", "x", "y", "w", "module_mm", "align"],
  box: ["x", "y", "w", "h", "line_mm"],
  image: ["x", "y", "w", "h"],
};

/** A field of this kind as it begins in the editor. */
export function newField(kind: FieldKind): LabelField {
  const at = { kind, x: 2, y: 2 };
  if (kind === "text") return { ...at, w: 40, h: 4, value: "Text" };
  if (kind === "code128") return { ...at, h: 8, module_mm: 0.25, value: "{{code}}", text: true };
  if (kind === "box") return { ...at, w: 20, h: 10, line_mm: 0.3 };
  if (kind === "image") return { ...at, w: 10, h: 10 };
  return { ...at, w: 15, module_mm: 0.5, value: "{{code}}" };
}

/** Every variable says its own name, in letters that a code can hold. */
export function sampleData(variables: string[]): Record<string, string> {
  return Object.fromEntries(variables.map((name) => [name, name.replaceAll("_", "-").padEnd(3, "-")]));
}

/** Names of the {{variables}} in the values. */
export function variablesOf(fields: LabelField[]): string[] {
  const names = fields.flatMap((field) => [...(field.value ?? "").matchAll(/\{\{([a-z][a-z0-9_]{0,40})\}\}/g)]);
  return [...new Set(names.map((match) => match[1] ?? ""))].sort();
}

export interface PrinterRow {
  code: string;
  site: string;
  name: string;
  language: string;
  address: string;
  dpi: number | null;
  loaded_media: string | null;
  status: string;
  reasons: string[];
  status_since: string;
  halted_reason: string | null;
  is_enabled: boolean;
  labels_since_media: number;
  last_seen_at: string | null;
}

/** A printer on the board. Times in ms, p50 and p95 of the last day. */
export interface PrinterCard {
  printer: PrinterRow;
  agent: string | null;
  agent_state: string | null;
  agent_version: string | null;
  state: "ready" | "printing" | "trouble" | "halted" | "off" | "away";
  message: string;
  waiting: number;
  held: number;
  unknown: number;
  oldest_waiting_at: string | null;
  last_job_id: number | null;
  last_printed_at: string | null;
  begin_p50_ms: number | null;
  begin_p95_ms: number | null;
  done_p50_ms: number | null;
  done_p95_ms: number | null;
}

export interface PrintJob {
  id: number;
  site: string;
  store: string | null;
  printer: string;
  label_type: string;
  version_id: number;
  subject: string;
  print_no: number;
  labels: number;
  copies: number;
  dpi: number;
  state: string;
  why: string | null;
  priority: number;
  attempts: number;
  evidence_level: number | null;
  extra_labels: number;
  reprint_of: number | null;
  reason: string | null;
  note: string | null;
  cancel_requested: boolean;
  requested_by: string | null;
  queued_at: string;
  finished_at: string | null;
}

export interface PrintPage {
  jobs: PrintJob[] | null;
  next_cursor: string | null;
}

export interface PrintJobEvent {
  id: number;
  at: string;
  from_state: string | null;
  to_state: string;
  actor_id: string | null;
  reason: string | null;
}

export interface PrintAlarm {
  kind: string;
  site: string;
  printer: string | null;
  job_id: number | null;
  subject: string | null;
  since: string;
  message: string;
  next_action: string | null;
}

export interface PrintAnswer {
  changed: boolean;
  job: PrintJob;
  printer_name: string;
  message: string;
}

export interface StationPrinting {
  label_type: string;
  printer: string;
  printer_name: string;
  state: PrinterCard["state"];
  message: string;
  template: string;
  template_name: string;
  printers: { code: string; name: string; message: string | null }[];
  templates: { code: string; name: string }[] | null;
}
