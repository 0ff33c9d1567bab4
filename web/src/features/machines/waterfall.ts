import type { Look } from "@/ui/charts/looks";
import type { Inputs, LossRow, Ratios } from "./types";
import { lookOf } from "./words";

/** A step down from planned time: `seconds` are lost (or, of a total, left) where `from` seconds were left over before. */
export interface Step {
  key: string;
  kind: "total" | "loss";
  /** The loss; null of a total. */
  loss: LossRow | null;
  seconds: number;
  look: Look;
}

const SHOWN = 5;

function stepOf(loss: LossRow): Step {
  const key = [loss.kind, loss.time_class, loss.reason].join("/");
  return { key, kind: "loss", loss, seconds: loss.seconds, look: lookOf(loss) };
}

/** The largest losses each for themselves, the rest as one. */
function few(losses: LossRow[], key: string): Step[] {
  const sorted = [...losses].sort((one, other) => other.seconds - one.seconds);
  const steps = sorted.slice(0, SHOWN).map(stepOf);
  const rest = sorted.slice(SHOWN);
  if (rest.length > 0)
    steps.push({
      key,
      kind: "loss",
      loss: null,
      seconds: rest.reduce((sum, one) => sum + one.seconds, 0),
      look: "stop",
    });
  return steps;
}

const total = (key: string, seconds: number, look: Look): Step => ({ key, kind: "total", loss: null, seconds, look });

/**
 * From planned time to the ideal time of good pieces. The steps add up exactly: planned − what availability lost = run;
 * run − what performance lost = ideal time of all pieces; that − quality = ideal time of good ones. Without an ideal cycle it
 * ends at run time.
 */
export function waterfall(inputs: Inputs, ratios: Ratios, losses: LossRow[]): Step[] {
  const of = (policy: string) => losses.filter((one) => one.policy === policy && one.seconds !== 0);
  const steps = [
    total("planned", inputs.planned_s, "none"),
    ...few(of("loss_availability"), "other-availability"),
    total("run", inputs.run_s, "run"),
  ];
  if (ratios.performance === null) return steps;
  const pending = losses.filter((one) => one.kind === "pending" && one.seconds > 0);
  return [
    ...steps,
    ...few([...of("loss_performance"), ...pending], "other-performance"),
    total("ideal", inputs.ideal_s, "run"),
    ...few(of("loss_quality"), "other-quality"),
    total("good", inputs.ideal_good_s, "good"),
  ];
}
