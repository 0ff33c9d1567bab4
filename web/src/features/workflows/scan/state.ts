import { newRequestId } from "@/lib/commands";
import { signal, type Tone } from "@/lib/feedback";
import { queries } from "@/lib/query";
import { refetchAfter } from "@/lib/refetch";
import { RpcError, rpc } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { isBadge } from "@/lib/station";
import { createStore, rememberedStore } from "@/lib/store";
import type { ScanResult } from "@/lib/types";

export interface ScanEntry {
  n: number;
  code: string;
  /** ms since 1970. */
  at: number;
  state: "reading" | "done" | "failed";
  tone: Tone;
  result: ScanResult | null;
  error: unknown;
}

export interface Console {
  open: boolean;
  camera: boolean;
  /** The ticket that the next scan must be; another one is refused with both names. */
  expected: string | null;
  /** Newest first. */
  entries: ScanEntry[];
}

export const scanConsole = createStore<Console>({ open: false, camera: false, expected: null, entries: [] });
/** The station of this browser: a code of public.stations, or null. */
export const station = rememberedStore<string | null>("takt.station", null);
/** work: a scan does the next step; look: it only shows the ticket. */
export const scanMode = rememberedStore<"work" | "look">("takt.scan-mode", "work");

const KEPT = 20;
let count = 0;
let line: Promise<void> = Promise.resolve();
/** Grows when what still stands in line was scanned by somebody who is not here any more. */
let shift = 0;
let handingOver = false;

/** Does `work` when everything before it is done; `drop` instead, when nobody is left who could have meant it. */
function standInLine(work: () => Promise<void>, drop: () => void): void {
  const mine = shift;
  line = line.then(() => (mine === shift && session.get().status === "in" ? work() : drop()));
}

const change = (n: number, fields: Partial<ScanEntry>) =>
  scanConsole.set((old) => ({ ...old, entries: old.entries.map((e) => (e.n === n ? { ...e, ...fields } : e)) }));

function toneOf(result: ScanResult): Tone {
  if (result.action === "refused") return "bad";
  return result.action === "ask" || result.action === "ignored" ? "ask" : "ok";
}

async function ask(code: string): Promise<ScanResult> {
  const looks = scanMode.get() === "look" || !may(session.get().who, "orders.scan");
  if (looks) return rpc<ScanResult>("get_order_for_scan", { p_scan: code });
  const p_expected_order = scanConsole.get().expected;
  const given = { p_code: code, p_station: station.get(), p_expected_order, p_request_id: newRequestId() };
  try {
    return await rpc<ScanResult>("scan", given);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.scan) return error.scan; // refused, remembered, and answered in full
    if (error.canRepeat && navigator.onLine) return rpc<ScanResult>("scan", given); // the same request id: the same scan
    throw error;
  }
}

function fail(entry: ScanEntry, error: unknown): void {
  change(entry.n, { state: "failed", tone: "bad", error });
  signal("bad");
}

async function run(entry: ScanEntry): Promise<void> {
  try {
    const result = await ask(entry.code);
    const tone = toneOf(result);
    change(entry.n, { state: "done", tone, result });
    if (result.order_row) queries.setQueryData(["order", result.order_row.id], result.order_row);
    if (result.order_row) refetchAfter([{ stream: "order", stream_id: result.order_row.id }]);
    if (tone === "ok") scanConsole.set((old) => ({ ...old, expected: null }));
    signal(tone);
  } catch (error) {
    fail(entry, error);
  }
}

/** Is it known who scans now? */
type TakesBadge = (badge: string) => Promise<boolean>;
let onBadge: TakesBadge = async () => true;
/** Who takes badges; they open a session and are never shown, kept or sent as a ticket. */
export function takeBadges(take: TakesBadge): void {
  onBadge = take;
}

/** What was scanned before the badge is of the person before, what comes after it of the next: it stands in line too. */
async function handOver(badge: string): Promise<void> {
  handingOver = true;
  const known = await onBadge(badge).catch(() => false);
  handingOver = false;
  if (!known) shift += 1;
}

/** Does the open page know this code? Then it has acted on it, and how that went may be said by a tone. */
type PageTakes = (code: string) => Promise<boolean | Tone>;
let pageTakes: PageTakes | null = null;
/** The open page takes the codes that it knows, until the returned function is called; the others go to the console. */
export function takeScans(take: PageTakes): () => void {
  pageTakes = take;
  return () => {
    if (pageTakes === take) pageTakes = null;
  };
}

async function askPage(take: PageTakes, code: string): Promise<void> {
  const taken = await take(code).catch(() => false);
  if (taken) signal(taken === true ? "ok" : taken);
  else toConsole(code);
}

/** A code was read: shown at once, asked one after the other, none dropped. */
export function submitScan(code: string): void {
  if (isBadge(code)) {
    signal("read");
    line = line.then(() => handOver(code));
  } else if (pageTakes) {
    const take = pageTakes;
    signal("read");
    standInLine(
      () => askPage(take, code),
      () => signal("bad"),
    );
  } else toConsole(code);
}

function toConsole(code: string): void {
  const newest = scanConsole.get().entries[0];
  if (newest?.code === code && newest.state === "reading") return; // a reader that fires twice
  count += 1;
  const entry: ScanEntry = {
    n: count,
    code,
    at: Date.now(),
    state: "reading",
    tone: "read",
    result: null,
    error: null,
  };
  scanConsole.set((old) => ({ ...old, open: true, entries: [entry, ...old.entries].slice(0, KEPT) }));
  signal("read");
  standInLine(
    () => run(entry),
    () => fail(entry, new RpcError("refused", "", "", "station.locked", {})),
  );
}

/** The capture lost the beginning of a code. */
export function cutScan(problem: string): void {
  count += 1;
  const entry: ScanEntry = {
    n: count,
    code: "…",
    at: Date.now(),
    state: "failed",
    tone: "bad",
    result: null,
    error: new Error(problem),
  };
  scanConsole.set((old) => ({ ...old, open: true, entries: [entry, ...old.entries].slice(0, KEPT) }));
  signal("bad");
}

export const openScan = () => scanConsole.set((old) => ({ ...old, open: true }));
export const expectScan = (id: string) => scanConsole.set((old) => ({ ...old, open: true, expected: id }));
export const closeScan = () => scanConsole.set((old) => ({ ...old, open: false, camera: false, expected: null }));
/** Who was here leaves; what stands in line after a badge is of who comes. */
export function forgetScans(): void {
  if (!handingOver) shift += 1;
  const entries = handingOver ? scanConsole.get().entries.filter((entry) => entry.state === "reading") : [];
  scanConsole.set({ open: entries.length > 0, camera: false, expected: null, entries });
}
