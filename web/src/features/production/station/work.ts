import { t } from "@lingui/core/macro";
import { useCallback, useEffect, useRef, useState } from "react";
import { FAIL_CODE, OK_CODE, refusal, type Said } from "@/features/units/station/bench";
import { takeScans } from "@/features/workflows/scan/state";
import { command, newRequestId } from "@/lib/commands";
import { signal, type Tone } from "@/lib/feedback";
import { queuedText } from "@/lib/messages";
import { queries } from "@/lib/query";
import { refetchStreams } from "@/lib/refetch";
import { type RpcName, rpc } from "@/lib/rpc";
import { rememberedStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { STREAMS } from "../act";
import { useFilter, useWork, workQuery } from "../queries";
import type { StepScan, Work } from "../types";
import { find } from "./scan";

/** The work centre that this device stands at, chosen once. */
export const workCentre = rememberedStore<string | null>("takt.work-centre", null);

/** Raw material that was scanned and fits, and waits for how much of it goes in. */
export interface Fitting {
  sku: string;
  lot: string;
}

export interface Takes {
  /** The code of the good button, and of the scrap button. */
  ok: (on: Work) => Promise<Tone>;
  fail: (on: Work) => Tone;
}

export interface Station {
  centre: string;
  on: Work | null | undefined;
  /** How reading it goes. */
  reading: ReturnType<typeof useWork>;
  /** Which lot of the order the pieces are of, where somebody scanned it. */
  lot: string | null;
  material: Fitting | null;
  said: Said | null;
  say: (said: Said) => Tone;
  /** Gives a command about the order on the bench, and says what came of it. */
  run: <T>(name: RpcName, given: object, done: (data: T) => Said) => Promise<Tone>;
  press: (step: (on: Work) => Promise<Tone>) => void;
  open: (work: Work) => void;
  clear: () => void;
  dropMaterial: () => void;
}

const ready = ({ step_title, can_start, waiting }: Work): string =>
  t`${step_title}: ${formatNumber(can_start)} can start, ${formatNumber(waiting)} in work.`;

/** One order at a time at one work centre, by scans alone if somebody likes. The order stands in the address. */
export function useStation(centre: string, takes: Takes): Station {
  const [filter, change] = useFilter();
  const [place, setPlace] = useState<{ code: string | undefined; step: number | undefined }>({
    code: filter.code,
    step: filter.step,
  });
  const [lot, setLot] = useState<string | null>(null);
  const [material, setMaterial] = useState<Fitting | null>(null);
  const [said, setSaid] = useState<Said | null>(null);
  const reading = useWork(centre, place);
  // What a scan is about: a lot may be scanned before the page has drawn the order that was scanned before it.
  const bench = useRef(place);
  const latest = useRef({ takes, change });
  latest.current = { takes, change };

  const say = useCallback((next: Said): Tone => {
    setSaid(next);
    return next.tone;
  }, []);
  const put = useCallback((code: string | undefined, step?: number, ofLot?: string) => {
    bench.current = { code, step };
    setPlace(bench.current);
    setLot(ofLot ?? null);
    setMaterial(null);
    latest.current.change({ code, step });
  }, []);
  const current = useCallback(async (): Promise<Work | null> => {
    const { code, step } = bench.current;
    return code === undefined ? null : queries.ensureQueryData(workQuery(centre, code, step));
  }, [centre]);

  async function run<T>(name: RpcName, given: object, done: (data: T) => Said): Promise<Tone> {
    try {
      const answer = await command<T>(name, given as never);
      if (answer.state === "queued") return say({ tone: "ask", title: queuedText(answer.entry) });
      return say(done(answer.data));
    } catch (error) {
      return say(refusal(error));
    } finally {
      refetchStreams(...STREAMS);
    }
  }

  useEffect(() => {
    /** Asks the server whether it may be done here and now. A refused order leaves the bench: nothing is counted on it. */
    const takeOrder = async (code: string, ofLot?: string): Promise<Tone> => {
      put(undefined);
      const given = { p_code: code, p_work_centre: centre, p_lot: ofLot ?? null, p_request_id: newRequestId() };
      const scan = await rpc<StepScan>("scan_step", given);
      const work = await queries.fetchQuery({ ...workQuery(centre, code, scan.step.sequence), staleTime: 0 });
      put(code, scan.step.sequence, ofLot);
      return say({ tone: "ok", title: code, text: work ? ready(work) : scan.message });
    };
    const takeMaterial = async (work: Work, sku: string, ofLot?: string): Promise<Tone> => {
      const given = {
        p_code: work.code,
        p_work_centre: centre,
        p_sequence: work.sequence,
        p_request_id: newRequestId(),
      };
      await rpc<StepScan>("scan_step", { ...given, p_material: sku, p_material_lot: ofLot ?? null });
      setMaterial(ofLot ? { sku, lot: ofLot } : null);
      return say({ tone: "ok", title: t`${sku} fits.`, text: ofLot ? t`Lot ${ofLot}` : null });
    };
    /** A lot of the order on the bench says which pieces; anything else is asked about anew. */
    const orderOrLot = async (work: Work | null, code: string, ofLot?: string): Promise<Tone> => {
      if (!work || work.code !== code || !ofLot) return takeOrder(code, ofLot);
      put(work.code, work.sequence, ofLot);
      return say({ tone: "ok", title: t`Lot ${ofLot}`, text: t`What is reported now is of this lot.` });
    };
    const takeCode = async (code: string): Promise<Tone> => {
      const work = await current();
      const found = await find(code, work);
      switch (found.kind) {
        case "order":
          return orderOrLot(work, found.code, found.lot);
        case "centre":
          put(undefined);
          workCentre.set(found.centre);
          return "ok";
        case "choose":
          return say({ tone: "ask", title: t`Which lot is it?`, text: found.lots.join(", ") });
        case "material":
          return work
            ? takeMaterial(work, found.sku, found.lot)
            : say({ tone: "ask", title: t`Scan the order first, then what goes into it.` });
        default:
          return say({
            tone: "bad",
            title: t`Nothing here has this code.`,
            expected: t`an order, a lot, a material or a work centre`,
            actual: code,
          });
      }
    };
    const button = async (step: (on: Work) => Promise<Tone> | Tone): Promise<Tone> => {
      const work = await current();
      return work ? step(work) : say({ tone: "ask", title: t`Scan an order first.` });
    };
    return takeScans((code) => {
      const word = code.trim().toUpperCase();
      const { ok, fail } = latest.current.takes;
      const taken = word === OK_CODE ? button(ok) : word === FAIL_CODE ? button(fail) : takeCode(code);
      return taken.catch((error: unknown) => say(refusal(error)));
    });
  }, [centre, say, put, current]);

  return {
    centre,
    on: reading.data,
    reading,
    lot,
    material,
    said,
    say,
    run,
    press: (step) => void current().then(async (work) => work && signal(await step(work))),
    open: (work) => {
      say({ tone: work.can_run ? "ok" : "ask", title: work.code, text: work.can_run ? ready(work) : null });
      put(work.code, work.sequence);
    },
    clear: () => {
      setSaid(null);
      put(undefined);
    },
    dropMaterial: () => setMaterial(null),
  };
}
