import { t } from "@lingui/core/macro";
import type { Said } from "@/features/units/station/bench";
import type { Tone } from "@/lib/feedback";
import type { RpcName } from "@/lib/rpc";
import { formatNumber } from "@/lib/time";
import type { QualityChange, RoutedChange, Work } from "../types";
import { dispositionName, noticeText } from "../words";
import type { Station } from "./work";

type Act = (on: Work) => Promise<Tone>;

/** Pieces that are not good, and why. */
export interface Defect {
  quantity: number;
  disposition: string;
  reason: string;
  cause: string | null;
  position: string | null;
  photo: string | null;
}
/** Good, scrap and rework in one report. */
export interface Report {
  good: number;
  scrap: number;
  rework: number;
  reason: string | null;
  cause: string | null;
  position: string | null;
  notes: string | null;
  photo: string | null;
}

/** How the step stands after a report: where the pieces go when nothing is left to do. */
function standing(on: Work, change: RoutedChange | QualityChange): string {
  const { step } = change;
  const more = noticeText(change.notices);
  const [good, planned] = [formatNumber(Number(step?.good ?? 0)), formatNumber(Number(step?.planned ?? 0))];
  const next = on.next?.title ?? "";
  const stands =
    step?.status !== "COMPLETED"
      ? t`Good: ${good} of ${planned}.`
      : next
        ? t`All is done here: ${good} good. Next: ${next}.`
        : t`All is done: ${good} good. The order leaves production.`;
  return [stands, more].filter(Boolean).join(" ");
}

/** What was counted last since the order was read: until it is read again, that is what undo is about. */
const latest = new WeakMap<Work, number>();

/** What can be done with the order on the bench; each gives one command. */
export function actionsOf(station: Pick<Station, "centre" | "lot" | "run">) {
  const at = (on: Work) => ({ p_code: on.code, p_work_centre: station.centre, p_sequence: on.sequence });
  const { lot } = station;
  const { run } = station;
  /** A command that counts pieces of the order. */
  const count = <T extends RoutedChange | QualityChange>(
    on: Work,
    name: RpcName,
    given: object,
    done: (data: T) => Said,
  ): Promise<Tone> =>
    run<T>(name, given, (data) => {
      const id = "record" in data ? data.record.count_id : data.count_id;
      if (id) latest.set(on, id);
      return done(data);
    });

  const report =
    (given: object, title: string): Act =>
    (on) =>
      count<RoutedChange>(on, "report_production", { ...at(on), p_lot: lot, ...given }, (data) => ({
        tone: "ok",
        title,
        text: standing(on, data),
      }));
  return {
    start:
      (quantity: number | null): Act =>
      (on) =>
        count<RoutedChange>(on, "start_step", { ...at(on), p_quantity: quantity, p_lot: lot }, (data) => ({
          tone: data.changed ? "ok" : "ask",
          title: data.changed ? t`${on.code} runs.` : t`Nothing more can start now.`,
          text: t`In process: ${formatNumber(Number(data.step?.in_process ?? 0))}.`,
        })),
    good: (quantity: number): Act => report({ p_good: quantity }, t`Good: ${formatNumber(quantity)} more`),
    report: (made: Report): Act =>
      report(
        {
          p_good: made.good,
          p_scrap: made.scrap,
          p_rework: made.rework,
          p_reason: made.reason,
          p_cause: made.cause,
          p_defect_position: made.position,
          p_notes: made.notes,
          p_photo: made.photo,
        },
        t`Reported: ${formatNumber(made.good)} good, ${formatNumber(made.scrap)} scrap, ${formatNumber(made.rework)} rework`,
      ),
    counter:
      (counter: number, perCycle: number): Act =>
      (on) =>
        count<RoutedChange>(
          on,
          "record_count",
          { ...at(on), p_counter: counter, p_pieces_per_cycle: perCycle, p_source: "counter", p_lot: lot },
          (data) => ({
            tone: data.changed ? "ok" : "ask",
            title: data.changed ? t`The counter stands at ${formatNumber(counter)}.` : t`Nothing was counted.`,
            text: data.changed ? standing(on, data) : noticeText(data.notices),
          }),
        ),
    defect:
      (found: Defect): Act =>
      (on) =>
        count<QualityChange>(
          on,
          "record_quality",
          {
            ...at(on),
            p_disposition: found.disposition,
            p_quantity: found.quantity,
            p_reason: found.reason,
            p_cause: found.cause,
            p_defect_position: found.position,
            p_photo: found.photo,
            p_lot: lot,
          },
          (data) => ({
            tone: "ok",
            title: `${dispositionName(found.disposition)}: ${formatNumber(found.quantity)}`,
            text: standing(on, data),
          }),
        ),
    /** Pieces of an open rework, repair or hold are decided. */
    decide:
      (record: number, disposition: string, quantity: number): Act =>
      (on) =>
        count<QualityChange>(
          on,
          "record_quality",
          {
            p_code: on.code,
            p_record: record,
            p_disposition: disposition,
            p_quantity: quantity,
            p_work_centre: station.centre,
          },
          (data) => ({
            tone: "ok",
            title: `${dispositionName(disposition)}: ${formatNumber(quantity)}`,
            text: standing(on, data),
          }),
        ),
    pause:
      (reason: string | null): Act =>
      (on) =>
        run<RoutedChange>("pause_step", { p_code: on.code, p_sequence: on.sequence, p_reason: reason }, () => ({
          tone: "ok",
          title: t`${on.code} is paused.`,
          text: t`Start it again to go on.`,
        })),
    end:
      (reason: string): Act =>
      (on) =>
        count<RoutedChange>(
          on,
          "complete_step",
          { p_code: on.code, p_sequence: on.sequence, p_reason: reason },
          (data) => ({
            tone: "ok",
            title: t`${on.step_title} of ${on.code} is ended.`,
            text: standing(on, data),
          }),
        ),
    undo: (): Act => (on) =>
      // What the screen shows as the last one: a second quick tap takes back nothing more.
      run<RoutedChange>("undo_production", { p_code: on.code, p_count_id: latest.get(on) ?? on.undo_id }, (data) => ({
        tone: "ok",
        title: t`Undone.`,
        text: [
          t`Good: ${formatNumber(Number(data.step?.good ?? 0))}, scrap: ${formatNumber(Number(data.step?.scrap ?? 0))}.`,
          noticeText(data.notices),
        ]
          .filter(Boolean)
          .join(" "),
      })),
    use:
      (quantity: number, sku: string, from: string): Act =>
      (on) =>
        run(
          "consume_lot",
          { p_code: from, p_quantity: quantity, p_order: on.code, p_sku: sku, p_sequence: on.sequence },
          () => ({
            tone: "ok",
            title: t`${formatNumber(quantity)} of lot ${from} go into ${on.code}.`,
          }),
        ),
  };
}
export type Actions = ReturnType<typeof actionsOf>;
