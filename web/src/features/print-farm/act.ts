import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { RpcArgs, RpcName } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { type Given, give } from "@/ui/give";
import type { RunChange, RunLine } from "./types";

// Whatever is done here, a print may find its parts and an order its promise.
const STREAMS = ["print_run", "print_machine"];

/** A command of the farm; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function farm<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  said: (data: T) => string | null,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<Given<T> | undefined> {
  return give<T, N>(name, given, { streams: STREAMS, said, ...(next && { next }) });
}

/** The way back from a decided print: it counts as `before` again. Only for those who may correct. */
export function undoRun(id: number, before: { outcome: string } | { lines: RunLine[] }) {
  if (!may(session.get().who, "farm.review")) return undefined;
  const given = {
    p_run_id: id,
    p_outcome: "outcome" in before ? before.outcome : null,
    p_lines: "lines" in before ? before.lines.map(({ sku, qty, planned }) => ({ sku, quantity: qty, planned })) : null,
    p_reason: i18n._(msg`Taken back right after`),
  };
  return {
    label: i18n._(msg`Undo`),
    run: () => void farm<RunChange>("amend_print_run", given as never, () => i18n._(msg`Undone.`)),
  };
}

/** A file has these parts now; the prints of it that waited are offered for booking in one tap. */
export async function mapFile(
  name: string,
  plate: number | null,
  parts: { sku: string; quantity: number; object_ids?: number[] | null }[],
): Promise<boolean> {
  const given = { p_gcode_filename: name, p_plate: plate, p_parts: parts };
  const done = await farm<{ waiting: number }>(
    "map_gcode",
    given as never,
    () => i18n._(msg`${name}: kept. Its next prints go into stock by themselves.`),
    ({ waiting }) =>
      waiting > 0 && may(session.get().who, "farm.review")
        ? { label: i18n._(msg`Book the ${waiting} that waited`), run: () => void bookWaiting({ name }) }
        : undefined,
  );
  return done !== undefined;
}

/** Books prints that waited for a mapping and have one now: all, those of a file, or one. */
export async function bookWaiting({ name, run }: { name?: string; run?: number }): Promise<void> {
  const given = { p_gcode_filename: name ?? null, p_run_ids: run === undefined ? null : [run] };
  await farm<{ status: string }[]>("book_waiting_prints", given as never, (booked) => {
    const good = booked.filter((one) => one.status === "recorded").length;
    const left = booked.length - good;
    if (booked.length === 0) return i18n._(msg`Nothing waits any more.`);
    return left === 0
      ? i18n._(msg`Booked: ${good}. The parts are in stock.`)
      : i18n._(msg`Booked: ${good}. To be looked at: ${left}.`);
  });
}
