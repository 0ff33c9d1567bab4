import { queries } from "./query";

const GAP_MS = 700;
const PRINTING = new Set(["printers", "print-jobs", "print-job", "print-alarms", "station-printing"]);
let last = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let changed = new Set<string>();
let printed = false;

function run(): void {
  timer = undefined;
  last = Date.now();
  const ids = changed;
  changed = new Set();
  if (printed) refetchPrinting();
  printed = false;
  if (ids.size === 0) return;
  void queries.invalidateQueries({ queryKey: ["queue"] });
  void queries.invalidateQueries({ queryKey: ["counts"] });
  void queries.invalidateQueries({
    predicate: ({ queryKey }) => queryKey[0] === "order" && ids.has(String(queryKey[1])),
  });
}

/** Everything that printing shows is read again. */
export function refetchPrinting(): void {
  void queries.invalidateQueries({ predicate: ({ queryKey }) => PRINTING.has(String(queryKey[0])) });
}

/** Events of tickets or labels arrived: read again what shows them, at once, then at most every GAP_MS. */
export function refetchAfter(events: { stream: string; stream_id: string }[]): void {
  if (events.some((event) => event.stream === "settings")) void queries.invalidateQueries({ queryKey: ["settings"] });
  for (const event of events) if (event.stream === "order") changed.add(event.stream_id);
  printed ||= events.some((event) => event.stream === "print");
  if ((changed.size === 0 && !printed) || timer) return;
  timer = setTimeout(run, Math.max(30, GAP_MS - (Date.now() - last)));
}

/** What was told to be read again but could not be. */
export function refetchFailed(): void {
  const failed = (query: { state: { isInvalidated: boolean; status: string } }) =>
    query.state.isInvalidated || query.state.status === "error";
  void queries.refetchQueries({ type: "active", predicate: failed }, { cancelRefetch: false });
}
