import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck } from "lucide-react";
import { useState } from "react";
import { newRequestId } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { refetchStreams } from "@/lib/refetch";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { give } from "@/ui/give";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { STREAMS } from "./act";
import { importFile, mayRepeat } from "./import-file";
import type { ImportAnswer, ImportKind, ImportRow } from "./types";
import { resultName } from "./words";

const SHOWN = 200;

/** What the file would do, with every error of every row; then doing it, all rows or none. */
export function ImportCheck({ file, onDone }: { file: File; onDone: () => void }) {
  const { t } = useLingui();
  const [kind, setKind] = useState<ImportKind | null>(null);
  const [busy, setBusy] = useState(false);
  const [id, setId] = useState(newRequestId); // of the import: a lost answer does not do it twice
  const queryKey = ["import-check", file.name, file.lastModified, file.size, kind];
  const check = useQuery({
    queryKey,
    queryFn: () => importFile(file, kind, null),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });
  const wrong = check.data?.rows.filter((row) => !row.ok) ?? [];

  async function apply() {
    setBusy(true);
    try {
      const data = await importFile(file, check.data?.kind ?? null, id);
      if (!data.applied) {
        setId(newRequestId()); // this answer is kept for that id
        queries.setQueryData(queryKey, data); // somebody was faster
        return;
      }
      const { batch_id } = data;
      const back = batch_id === null ? undefined : { label: t`Undo`, run: () => void takeBack(batch_id) };
      toast("ok", t`Import ${batch_id} is done.`, back);
      onDone();
    } catch (error) {
      if (!mayRepeat(error)) setId(newRequestId());
      toast("bad", explain(error));
    } finally {
      setBusy(false);
      refetchStreams(...STREAMS);
    }
  }
  const takeBack = (p_batch_id: number) =>
    give("undo_import", { p_batch_id }, { streams: STREAMS, said: () => t`Import ${p_batch_id} is taken back.` });

  return (
    <Panel title={file.name}>
      <div className="mb-3 flex flex-wrap items-end gap-3">
        <div className="w-56">
          <Select
            label={t`It holds`}
            value={check.data?.kind ?? kind ?? "items"}
            onChange={(event) => setKind(event.target.value as ImportKind)}
          >
            <option value="items">{t`Items`}</option>
            <option value="stock">{t`Stock`}</option>
          </Select>
        </div>
        {check.data && wrong.length === 0 && (
          <Button look="primary" disabled={busy} onClick={() => void apply()}>
            <Plural value={check.data.rows.length} one="Import # row" other="Import # rows" />
          </Button>
        )}
        <Button onClick={onDone}>
          <Trans>Put it aside</Trans>
        </Button>
      </div>
      <Pending of={check} />
      {check.data && <Verdict answer={check.data} wrong={wrong.length} />}
      <WrongRows rows={wrong} lines={check.data?.lines ?? []} />
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

function WrongRows({ rows, lines }: { rows: ImportRow[]; lines: number[] }) {
  const { t } = useLingui();
  const [shown, setShown] = useState(SHOWN);
  if (rows.length === 0) return null;
  return (
    <>
      <ol aria-label={t`What is wrong`} className="mt-3 flex flex-col divide-y divide-line">
        {rows.slice(0, shown).map((row) => (
          <li key={row.row} className="grid gap-x-4 py-2 sm:grid-cols-[6rem_10rem_minmax(0,1fr)]">
            <span className="font-semibold">{t`Line ${lines[row.row - 1] ?? row.row}`}</span>
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
