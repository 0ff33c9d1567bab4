import type { Database, Json } from "./database.gen";
import { type Person, person } from "./person";
import { db } from "./supabase";
import type { ScanResult } from "./types";

type Functions = Database["public"]["Functions"];
export type RpcName = keyof Functions;
/** The arguments of an RPC; each may be null, which Postgres takes and generated types do not say. */
export type RpcArgs<N extends RpcName> = { [K in keyof Functions[N]["Args"]]: Functions[N]["Args"][K] | null };

/** What a call can fail with: `kind` says who has to act. */
export class RpcError extends Error {
  override name = "RpcError";
  constructor(
    /** offline: never answered · busy: answered "not now" · refused: a rule said no · signed-out · broken: a defect */
    readonly kind: "offline" | "busy" | "refused" | "signed-out" | "broken",
    message: string,
    /** SQLSTATE or PostgREST code. */
    readonly code: string,
    /** Stable machine code `domain.reason`; empty when there is none. */
    readonly hint: string,
    readonly details: Record<string, Json | undefined>,
    readonly scan: ScanResult | null = null,
  ) {
    super(message);
  }
  /** True when the same request may be sent again as it is. */
  get canRepeat(): boolean {
    return this.kind === "offline" || this.kind === "busy";
  }
}

interface Refusal {
  message?: string;
  code?: string | null;
  hint?: string | null;
  details?: unknown;
  action?: string;
}

// Out of connections, shutting down, deadlock, timeout, lock not available, PostgREST's pool; not 40001, which is never raised.
const BUSY = /^(53|57|40P01|55P03|08|PGRST00)/;

function kindOf(error: Refusal, status: number): RpcError["kind"] {
  const code = error.code ?? "";
  if (status === 0 || (status >= 502 && status <= 504 && !code)) return "offline";
  if (BUSY.test(code) || status === 429 || status === 503) return "busy";
  if (status === 401 || code === "PT401" || code === "PGRST301" || code === "PGRST303") return "signed-out";
  // Refusals raised by our SQL, and values that a named constraint refused.
  if (/^PT\d{3}$/.test(code) || /^23/.test(code) || code === "42501") return "refused";
  return "broken";
}

function detailsOf(details: unknown): Record<string, Json | undefined> {
  if (details && typeof details === "object") return details as Record<string, Json | undefined>;
  if (typeof details !== "string" || !details.startsWith("{")) return {};
  try {
    return JSON.parse(details) as Record<string, Json | undefined>;
  } catch {
    return {};
  }
}

/** Makes an RpcError of what PostgREST answered (`status` 0: no answer came). */
export function toRpcError(error: Refusal, status: number): RpcError {
  const scan = error.action === undefined ? null : (error as unknown as ScanResult);
  return new RpcError(
    kindOf(error, status),
    error.message ?? "",
    error.code ?? "",
    error.hint ?? "",
    detailsOf(error.details),
    scan,
  );
}

export interface CallOptions {
  signal?: AbortSignal;
}

/**
 * The error of an answer; a station whose session has ended forgets who stood there. `asked`: who stood there when it was
 * asked; a late answer about the person before says nothing about the one who took over.
 */
function failed(error: Refusal, status: number, asked: Person | null): RpcError {
  if (error.hint === "station.locked" && person.get() === asked) person.set(null);
  return toRpcError(error, status);
}

/** Calls an RPC once. Returns its answer as `T`; throws RpcError. */
export async function rpc<T>(name: RpcName, args: object = {}, options: CallOptions = {}): Promise<T> {
  const asked = person.get();
  const request = db().rpc(name, args as never);
  const { data, error, status } = await (options.signal ? request.abortSignal(options.signal) : request);
  if (error) throw failed(error, status, asked);
  return data as T;
}

/** Typed arguments for rpc() and command(). */
export function args<N extends RpcName>(_name: N, given: RpcArgs<N>): RpcArgs<N> {
  return given;
}

/** Rows of a table or view. Throws RpcError. */
export async function rows<T>(
  answer: PromiseLike<{ data: unknown; error: Refusal | null; status: number }>,
): Promise<T> {
  const asked = person.get();
  const { data, error, status } = await answer;
  if (error) throw failed(error, status, asked);
  return data as T;
}
