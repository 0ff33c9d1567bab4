import { queries } from "./query";

const GAP_MS = 700;
const PRINTING = ["printers", "print-jobs", "print-job", "print-alarms", "station-printing"];
const PROMISES = ["schedule", "part-demand", "fulfilment", "explanation"];
const FARM = [...PROMISES, "print-runs", "farm-status", "print-machines", "part-names"];
const STOCK = ["inventory", "item", "ledger", "requirements", "stock-alarms", "stock-pushes", "deduction-rules"];
const UNITS = ["units", "unit", "unit-tests", "lot"];
const COUNTS = ["stock-counts", "stock-count", ...STOCK];

const FIGURES = [
  "andon",
  "oee",
  "losses",
  "timeline",
  "stops",
  "shift-board",
  "microstops",
  "reliability",
  "shift-start",
];
const MACHINES = [...FIGURES, "machine", "machine-list"];
const REPAIRS = ["repairs", "repair", "plans"];

const ROUTED = ["work-queue", "production-board", "production-order", "quality", "quality-records", "lot"];

/** What shows the things of a stream: the first words of its query keys. Tickets are told one by one, by their id. */
const SHOWN: Record<string, string[]> = {
  order: [],
  settings: ["settings"],
  print: [...PRINTING, "production-order"],
  allocation: PROMISES,
  production_order: [...PROMISES, ...ROUTED, "work-centres"],
  approval: ["approvals", "work-centres", "work-queue", "production-order"],
  work_centre: ["work-centres", "work-queue", "production-order", "routings"],
  process_step: ["process-steps", "work-centres", "routings"],
  routing: ["routings", "production-board", "production-order"],
  stock: [...PROMISES, ...STOCK],
  item: [...STOCK, "stock-imports"],
  location: ["locations", "inventory", "item"],
  count: COUNTS,
  part: [...FARM, "part"],
  gcode: [...FARM, "part", "gcode"],
  print_run: FARM,
  print_machine: ["print-machines", "farm-status", "schedule"],
  unit: UNITS,
  recall: ["recall-trace", ...UNITS],
  box: ["unit"],
  kit: ["kits", "unit"],
  variant: ["variants", "unit"],
  lot: ["unit", "recall-trace", "production-order", "lot"],
  machine: MACHINES,
  line: ["lines", "machine-list", "machine"],
  stop: MACHINES,
  repair: [...REPAIRS, ...MACHINES],
  calendar: [...FIGURES, "shifts"],
  shift: ["handovers", "shift-start"],
};
/** The streams that the client listens to. */
export const STREAMS = Object.keys(SHOWN);
/** Streams on which more is broadcast than events: what was missed of that cannot be caught up. */
export const MOVING = new Set(["print_machine", "machine"]);

let last = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let changed = new Set<string>();
let words = new Set<string>();

const readAgain = (shown: Set<string>) =>
  void queries.invalidateQueries({ predicate: ({ queryKey }) => shown.has(String(queryKey[0])) });

const LOOK_MS = 100;

function run(): void {
  timer = undefined;
  const ids = changed;
  const shown = words;
  const lists = ids.size > 0 ? new Set([...shown, "queue", "counts"]) : shown;
  const predicate = ({ queryKey: [word, id] }: { queryKey: readonly unknown[] }) =>
    lists.has(String(word)) || (word === "order" && ids.has(String(id)));
  if (queries.isFetching({ predicate }) > 0) {
    // What is being read may miss this: it is read again afterwards. Begun anew at every event, a slow network would never end it.
    timer = setTimeout(run, LOOK_MS);
    return;
  }
  last = Date.now();
  changed = new Set();
  words = new Set();
  void queries.invalidateQueries({ predicate });
}

/** Everything that shows things of these streams is read again, now. */
export function refetchStreams(...streams: string[]): void {
  readAgain(new Set(streams.flatMap((stream) => SHOWN[stream] ?? [])));
}

/** Events arrived: read again what shows them, at once, then at most every GAP_MS. */
export function refetchAfter(events: { stream: string; stream_id: string }[]): void {
  for (const { stream, stream_id } of events) {
    if (stream === "order") changed.add(stream_id);
    for (const word of SHOWN[stream] ?? []) words.add(word);
  }
  if ((changed.size === 0 && words.size === 0) || timer) return;
  timer = setTimeout(run, Math.max(30, GAP_MS - (Date.now() - last)));
}

/** What was told to be read again but could not be. */
export function refetchFailed(): void {
  const failed = (query: { state: { isInvalidated: boolean; status: string } }) =>
    query.state.isInvalidated || query.state.status === "error";
  void queries.refetchQueries({ type: "active", predicate: failed }, { cancelRefetch: false });
}
