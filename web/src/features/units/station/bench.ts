import { t } from "@lingui/core/macro";
import { useCallback, useEffect, useRef, useState } from "react";
import { station, takeScans } from "@/features/workflows/scan/state";
import { command, newRequestId } from "@/lib/commands";
import { signal, type Tone } from "@/lib/feedback";
import { explain, queuedText } from "@/lib/messages";
import { queries } from "@/lib/query";
import { refetchStreams } from "@/lib/refetch";
import { RpcError, type RpcName, rpc } from "@/lib/rpc";
import { STREAMS, scannedUnit } from "../act";
import { readUnit, useFilter, useUnit } from "../queries";
import type { Unit, UnitDetail } from "../types";
import { firmHand } from "./once";

/** Codes that stand for the two buttons of a station, for hands that hold only a scanner. */
export const OK_CODE = "TAKT-OK";
export const FAIL_CODE = "TAKT-FAIL";

/** What the bench says last. */
export interface Said {
  tone: Exclude<Tone, "read">;
  title: string;
  text?: string | null | undefined;
  expected?: string | undefined;
  actual?: string | undefined;
}

export interface Takes {
  /** Another code than a unit or a button. `on`: the unit on the bench. */
  other?: (code: string, on: UnitDetail) => Promise<Tone>;
  /** A unit that is not the next one to work on; true when it was taken. */
  part?: (found: UnitDetail, on: UnitDetail) => Promise<Tone | null>;
  ok?: (on: UnitDetail) => Promise<Tone>;
  fail?: (on: UnitDetail) => Promise<Tone>;
}

export interface Bench {
  on: UnitDetail | undefined;
  query: ReturnType<typeof useUnit>;
  said: Said | null;
  say: (said: Said) => Tone;
  /** Gives a command and says what came of it. */
  run: <T>(name: RpcName, given: object, done: (data: T) => Said | Promise<Said>) => Promise<Tone>;
  /** A button was pressed: the same as its code. */
  press: (step: (on: UnitDetail) => Promise<Tone>) => void;
  clear: () => void;
}

/** What was thrown, as the bench says it. */
export function refusal(error: unknown): Said {
  const facts = error instanceof RpcError ? error.details : {};
  const word = (value: unknown) =>
    value === undefined || value === null ? undefined : Array.isArray(value) ? value.join(", ") : String(value);
  return { tone: "bad", title: explain(error), expected: word(facts.expected), actual: word(facts.actual) };
}

/** The next scan is about the unit as it is now, not as it was read. */
function keepUnit(unit: Unit | null | undefined): void {
  if (unit) queries.setQueryData<UnitDetail>(["unit", unit.sn], (old) => old && { ...old, unit });
}

/** A label of which nobody knows whether it came out was just read: that settles it. */
function settleLabel({ unit, label }: UnitDetail): void {
  if (label?.state !== "wanted") return;
  const given = { p_code: unit.sn, p_station: station.get(), p_expected_order: null, p_request_id: newRequestId() };
  void rpc("scan", given).then(
    () => refetchStreams("unit"),
    () => undefined, // it stays as it was; the gate says so
  );
}

/** One unit at a time, by scans alone. The unit on the bench stands in the address. */
export function useBench(takes: Takes): Bench {
  const [filter, change] = useFilter();
  const [sn, setSn] = useState(filter.sn);
  // What a scan is about: a kit may be scanned before the page has drawn the unit that was scanned before it.
  const bench = useRef(sn);
  const query = useUnit(sn ?? null);
  const [said, setSaid] = useState<Said | null>(null);
  const say = useCallback((next: Said): Tone => {
    setSaid(next);
    return next.tone;
  }, []);
  const { current: once } = useRef(firmHand());
  const latest = useRef({ takes, change });
  latest.current = { takes, change };
  const put = useCallback((next: string | undefined) => {
    bench.current = next;
    setSn(next);
    latest.current.change({ sn: next });
  }, []);
  const current = useCallback(async (): Promise<UnitDetail | undefined> => {
    const { current: now } = bench;
    return now === undefined ? undefined : (queries.getQueryData<UnitDetail>(["unit", now]) ?? readUnit(now));
  }, []);

  async function run<T>(name: RpcName, given: object, done: (data: T) => Said | Promise<Said>): Promise<Tone> {
    try {
      const answer = await command<T>(name, given as never);
      if (answer.state === "queued") return say({ tone: "ask", title: queuedText(answer.entry) });
      const { data } = answer;
      keepUnit((data as { unit?: Unit | null } | null)?.unit);
      return say(await done(data));
    } catch (error) {
      return say(refusal(error));
    } finally {
      refetchStreams(...STREAMS);
    }
  }

  useEffect(() => {
    const open = (found: UnitDetail): Tone => {
      queries.setQueryData(["unit", found.unit.sn], found);
      put(found.unit.sn);
      settleLabel(found);
      const tone = found.unit.status === "ON_HOLD" || found.unit.status === "SCRAPPED" ? "bad" : "ok";
      return say({ tone, title: found.unit.sn, text: found.next_action });
    };
    const takeCode = async (code: string): Promise<Tone> => {
      const { takes } = latest.current;
      const [found, on] = await Promise.all([scannedUnit(code), current()]);
      if (!found && on && takes.other) return takes.other(code, on);
      if (!found)
        return say({ tone: "bad", title: t`That is no unit.`, expected: t`the serial of a unit`, actual: code });
      const tone = on && found.unit.sn !== on.unit.sn ? await takes.part?.(found, on) : null;
      return tone ?? open(found);
    };
    const button = async (step: Takes["ok"]): Promise<Tone> => {
      const on = await current();
      return step && on ? step(on) : say({ tone: "ask", title: t`Scan a unit first.` });
    };
    return takeScans((code) => {
      const word = code.trim().toUpperCase();
      const { ok, fail } = latest.current.takes;
      const isButton = word === OK_CODE || word === FAIL_CODE;
      const press = () => button(word === OK_CODE ? ok : fail);
      const taken = isButton ? once(word, press).then((tone) => tone ?? "ask") : takeCode(code);
      return taken.catch((error: unknown) => say(refusal(error)));
    });
  }, [say, put, current, once]);
  const press = (step: (on: UnitDetail) => Promise<Tone>) =>
    void once("tap", async () => {
      const on = await current();
      if (on) signal(await step(on));
    }).catch((error: unknown) => say(refusal(error)));

  return {
    on: sn === undefined ? undefined : query.data,
    query,
    said,
    say,
    run,
    press,
    clear: () => {
      setSaid(null);
      put(undefined);
    },
  };
}
