import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck } from "lucide-react";
import { useState } from "react";
import type { CsvRow } from "@/lib/csv";
import { queries } from "@/lib/query";
import { rpc } from "@/lib/rpc";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { give } from "@/ui/give";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { STREAMS } from "./act";
import type { ImportAnswer, ImportKind, ImportRow } from "./types";
import { resultName } from "./words";

const SHOWN = 200;

/** Files with figures are stock, as for `takt stock import`. */
function kindOf(rows: CsvRow[]): ImportKind {
  const columns = rows.flatMap((row) => Object.keys(row.cells).map((name) => name.toLowerCase()));
  return columns.some((name) => name === "on_hand" || name === "quantity") ? "stock" : "items";
}

/** What the file would do, with every error of every row; then doing it, all rows or none. */
export function ImportCheck(props: { name: string; rows: CsvRow[]; onDone: () => void }) {
  const { t } = useLingui();
  const [kind, setKind] = useState(() => kindOf(props.rows));
  const [busy, setBusy] = useState(false);
  const p_rows = props.rows.map((row) => row.cells);
  const check = useQuery({
    queryKey: ["import-check", props.name, kind],
    queryFn: () => rpc<ImportAnswer>(`import_${kind}`, { p_rows, p_dry_run: true }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });
  const wrong = check.data?.rows.filter((row) => !row.ok) ?? [];

  async function apply() {
    setBusy(true);
    const done = await give<ImportAnswer>(`import_${kind}`, { p_rows, p_dry_run: false } as never, {
      streams: STREAMS,
      said: (data) => (data.applied ? t`Import ${data.batch_id} is done.` : null),
      next: ({ batch_id }) => (batch_id === null ? undefined : { label: t`Undo`, run: () => void takeBack(batch_id) }),
    });
    setBusy(false);
    if (done?.data.applied) props.onDone();
    else if (done) queries.setQueryData(["import-check", props.name, kind], done.data); // somebody was faster
  }
  const takeBack = (p_batch_id: number) =>
    give("undo_import", { p_batch_id }, { streams: STREAMS, said: () => t`Import ${p_batch_id} is taken back.` });

  return (
    <Panel title={props.name.split(" · ")[0]}>
      <div className="mb-3 flex flex-wrap items-end gap-3">
        <div className="w-56">
          <Select label={t`It holds`} value={kind} onChange={(event) => setKind(event.target.value as ImportKind)}>
            <option value="items">{t`Items`}</option>
            <option value="stock">{t`Stock`}</option>
          </Select>
        </div>
        {check.data && wrong.length === 0 && (
          <Button look="primary" disabled={busy} onClick={() => void apply()}>
            <Plural value={p_rows.length} one="Import # row" other="Import # rows" />
          </Button>
        )}
        <Button onClick={props.onDone}>
          <Trans>Put it aside</Trans>
        </Button>
      </div>
      <Pending of={check} />
      {check.data && <Verdict answer={check.data} wrong={wrong.length} />}
      <WrongRows rows={wrong} lines={props.rows} />
    </Panel>
  );
}

function Verdict({ answer, wrong }: { answer: ImportAnswer; wrong: number }) {
  const results = Object.entries(answer.counts).filter(([result]) => result !== "error");
  return (
    <div role="status">
      {wrong === 0 ? (
        <p className="flex items-center gap-2 font-medium text-ok">
          <CircleCheck aria-hidden /> <Trans>Every row is fine. Nothing is changed yet.</Trans>
        </p>
      ) : (
        <p className="flex items-center gap-2 font-medium text-bad">
          <CircleAlert aria-hidden />
          <span>
            <Plural value={wrong} one="# row is wrong." other="# rows are wrong." />{" "}
            <Trans>Nothing is imported until all are right: mend the file and choose it again.</Trans>
          </span>
        </p>
      )}
      <ul className="mt-2 flex flex-wrap gap-x-6">
        {results.map(([result, count]) => (
          <li key={result}>
            {resultName(result)}: <b>{formatNumber(count)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

function WrongRows({ rows, lines }: { rows: ImportRow[]; lines: CsvRow[] }) {
  const { t } = useLingui();
  const [shown, setShown] = useState(SHOWN);
  if (rows.length === 0) return null;
  return (
    <>
      <ol aria-label={t`What is wrong`} className="mt-3 flex flex-col divide-y divide-line">
        {rows.slice(0, shown).map((row) => (
          <li key={row.row} className="grid gap-x-4 py-2 sm:grid-cols-[6rem_10rem_minmax(0,1fr)]">
            <span className="font-semibold">{t`Line ${lines[row.row - 1]?.line ?? row.row}`}</span>
            <span className="font-mono break-all">{row.sku ?? "–"}</span>
            <ul>
              {row.errors.map((error) => (
                <li key={`${error.field} ${error.code} ${error.message}`} className="text-bad">
                  {error.field && <span className="font-mono">{error.field}: </span>}
                  {error.message}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      {rows.length > shown && (
        <Button className="mt-3 w-full" onClick={() => setShown(shown + SHOWN)}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </>
  );
}
