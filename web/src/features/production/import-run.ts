import { useCallback, useEffect, useRef, useState } from "react";
import { newRequestId } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { rpc } from "@/lib/rpc";
import { STREAMS } from "./act";
import { batchesOf } from "./import-batches";
import type { FileRow } from "./import-columns";

interface Note {
  field: string;
  code: string;
  message: string;
}
/** What became of a row, or would; `row` from 1, of the whole file. */
export interface ImportedRow {
  row: number;
  ok: boolean;
  result: string;
  external_id: string | null;
  code: string | null;
  errors: Note[];
  notices: Note[];
}
interface Answer {
  rows: ImportedRow[];
}

const BATCH = 500;

export interface Run {
  /** trying changes nothing; both in batches. */
  what: "try" | "import";
  state: "running" | "done" | "failed" | "stopped";
  total: number;
  rows: ImportedRow[];
  error: unknown;
}

/** One batch, `numbers` in the file; what became of each of its rows. Throws RpcError. */
async function sendBatch(
  what: Run["what"],
  p_system: string,
  rows: FileRow[],
  numbers: number[],
  id: string | undefined,
) {
  const tries = what === "try";
  const given = { p_system, p_rows: numbers.map((number) => rows[number]), p_dry_run: tries };
  const answer = await rpc<Answer>("import_production_orders", { ...given, p_request_id: tries ? null : id });
  return answer.rows.map((one) => ({ ...one, row: (numbers[one.row - 1] ?? 0) + 1 }));
}

/**
 * Rows sent in batches, one after the other. A batch whose answer was lost is sent again with its own id: it is done once.
 * What was done stays done when it stops; going on begins where it stopped.
 */
export function useImport() {
  const [run, setRun] = useState<Run | null>(null);
  const ids = useRef<string[]>([]);
  const turn = useRef(0);
  /** What runs now ends after its batch; who leaves the page ends it, too. */
  const end = useCallback(() => {
    turn.current += 1;
    return turn.current;
  }, []);
  useEffect(() => () => void end(), [end]);

  async function send(what: Run["what"], system: string, rows: FileRow[], before: ImportedRow[]): Promise<void> {
    const mine = end();
    const batches = batchesOf(rows, BATCH);
    let done = before;
    const show = (state: Run["state"], error: unknown = null) =>
      turn.current === mine &&
      setRun({ what, total: rows.length, state, rows: [...done].sort((a, b) => a.row - b.row), error });
    show("running");
    try {
      let sent = 0;
      for (const [batch, numbers] of batches.entries()) {
        sent += numbers.length;
        if (turn.current !== mine) break;
        if (sent <= before.length) continue; // done before it stopped
        ids.current[batch] ??= newRequestId();
        done = [...done, ...(await sendBatch(what, system, rows, numbers, ids.current[batch]))];
        show(done.length < rows.length ? "running" : "done");
      }
    } catch (error) {
      show("failed", error);
    }
    if (what === "import") refetchStreams(...STREAMS);
  }

  return {
    run,
    begin: (what: Run["what"], system: string, rows: FileRow[]) => {
      ids.current = [];
      return send(what, system, rows, []);
    },
    goOn: (system: string, rows: FileRow[]) => (run ? send(run.what, system, rows, run.rows) : undefined),
    stop: () => {
      end();
      setRun((old) => old && { ...old, state: "stopped" });
    },
    forget: () => {
      end();
      setRun(null);
    },
  };
}
