import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useState } from "react";
import { csvLine } from "@/lib/csv-line";
import { saveFile } from "@/lib/save-file";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import type { FileRow } from "./import-columns";
import type { ImportedRow } from "./import-run";
import { counted, notesOf, resultName, resultTone } from "./import-words";

const SHOWN = 100;

export interface Sheet {
  name: string;
  columns: string[];
  rows: FileRow[];
  /** The line of the file of each row. */
  lines: number[];
}

/** What became of every row, or would: how many of each, and those of one kind with the server's sentences. */
export function ImportReport({ sheet, rows }: { sheet: Sheet; rows: ImportedRow[] }) {
  const { t } = useLingui();
  const [only, setOnly] = useState<string | null>(null);
  const [shown, setShown] = useState(SHOWN);
  const counts = counted(rows);
  const chosen = only !== null && counts.some(([result]) => result === only) ? only : null;
  const list =
    chosen === null ? rows.filter((one) => notesOf(one).length > 0) : rows.filter((one) => one.result === chosen);
  const refused = rows.filter((one) => !one.ok);
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap gap-2">
        {counts.map(([result, count]) => (
          <Button
            key={result}
            aria-pressed={chosen === result}
            look={chosen === result ? "primary" : "plain"}
            onClick={() => setOnly(chosen === result ? null : result)}
          >
            {resultName(result)}: <b>{formatNumber(count)}</b>
          </Button>
        ))}
        {refused.length > 0 && (
          <Button className="ml-auto" onClick={() => saveRefused(sheet, refused, t`Why`)}>
            <Download aria-hidden className="size-5" />{" "}
            <Plural value={refused.length} one="Save the # refused row" other="Save the # refused rows" />
          </Button>
        )}
      </div>
      {list.length > 0 && (
        <ol aria-label={t`Rows`} className="flex flex-col divide-y divide-line">
          {list.slice(0, shown).map((one) => (
            <Row key={one.row} of={one} line={sheet.lines[one.row - 1] ?? one.row} />
          ))}
        </ol>
      )}
      {list.length > shown && (
        <Button onClick={() => setShown(shown + SHOWN)}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </div>
  );
}

function Row({ of, line }: { of: ImportedRow; line: number }) {
  const notes = notesOf(of);
  return (
    <li className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-2">
      <span className="w-20 font-semibold">
        <Trans>Line {line}</Trans>
      </span>
      <span className="w-40 font-mono break-all">
        {of.code && of.ok && of.result !== "created" ? (
          <Link
            to="/production/orders/$code"
            params={{ code: of.code }}
            className="inline-flex min-h-12 items-center underline"
          >
            {of.code}
          </Link>
        ) : (
          (of.code ?? of.external_id ?? "–")
        )}
      </span>
      <Badge tone={resultTone(of.result)}>{resultName(of.result)}</Badge>
      {notes.length > 0 && (
        <ul className={`min-w-0 flex-1 basis-52 ${of.ok ? "text-soft" : "text-bad"}`}>
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** The refused rows as they stood in the file, each with why: to be mended and brought again. */
function saveRefused(sheet: Sheet, refused: ImportedRow[], why: string): void {
  const lines = refused.map((one) => {
    const row = sheet.rows[one.row - 1] ?? {};
    return csvLine([...sheet.columns.map((column) => row[column] ?? ""), notesOf(one).join(" ")]);
  });
  const head = csvLine([...sheet.columns, why]);
  saveFile("refused.csv", new Blob(["\ufeff", head, ...lines], { type: "text/csv" }));
}
