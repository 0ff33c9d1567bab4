import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { RpcArgs, RpcName } from "@/lib/rpc";
import { type Given, give } from "@/ui/give";
import type { StopChange, StopRow } from "./types";

/** Whatever is said about machines, their stops and their shifts. */
const STREAMS = ["machine", "stop", "shift", "calendar"];

/** A command about a machine; `said`: what to say when it is done. The answer, or undefined when it was refused. */
export function order<T, N extends RpcName = RpcName>(
  name: N,
  given: Omit<RpcArgs<N>, "p_request_id">,
  said?: (data: T) => string | null | undefined,
  next?: (data: T) => { label: string; run: () => void } | undefined,
): Promise<Given<T> | undefined> {
  return give<T, N>(name, given, { streams: STREAMS, ...(said && { said }), ...(next && { next }) });
}

/** Says why a machine stood; it can be taken back, to the reason that it had before or to none. */
export function classify(stop: StopRow, reason: { code: string; title: string }, comment?: string | null) {
  const before = stop.reason;
  return order<StopChange>(
    "classify_stop",
    {
      p_reason: reason.code,
      p_stop_id: stop.stop_id,
      p_machine: stop.stop_id === null ? stop.machine : null,
      p_at: stop.stop_id === null ? stop.starts_at : null,
      p_comment: comment || null,
      p_version: stop.version,
    } as never,
    () => `${stop.machine}: ${reason.title}`,
    ({ stop: now }) =>
      before === reason.code
        ? undefined
        : {
            label: i18n._(msg`Undo`),
            run: () =>
              void order<StopChange>(
                "classify_stop",
                { p_reason: before, p_stop_id: now.id, p_version: now.version } as never,
                () => i18n._(msg`Undone.`),
              ),
          },
  );
}
