import { Trans, useLingui } from "@lingui/react/macro";
import { FileDown } from "lucide-react";
import { useState } from "react";
import { command } from "@/lib/commands";
import { csvLine } from "@/lib/csv-line";
import { explain } from "@/lib/messages";
import { rpc } from "@/lib/rpc";
import { saveFile } from "@/lib/save-file";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { toast } from "@/ui/toast";

type Row = Record<string, string | string[] | null>;
const PAGE = 5000;
const COLUMNS = [
  "sn",
  "variant_code",
  "variant_title",
  "status",
  "hw_rev",
  "fw_version",
  "through",
  "box_code",
  "pallet_code",
  "store",
  "order_number",
  "order_id",
  "production_order",
  "customer_name",
  "site",
  "created_at",
  "packed_at",
  "held_at",
  "hold_reason",
];

/** Every affected unit with where it is, as a CSV file; read in pages, so that a quarter of a million is no matter. */
export function ExportButton({ trace }: { trace: Record<string, string> }) {
  const { t } = useLingui();
  const [read, setRead] = useState<{ done: number; of: number } | null>(null);
  async function save() {
    try {
      const started = await command<{ export_id: string; units: number }>("start_recall_export", { p_trace: trace });
      if (started.state !== "done") return;
      const { export_id, units } = started.data;
      const parts = [csvLine(COLUMNS)];
      let cursor: string | null = null;
      let done = 0;
      do {
        setRead({ done, of: units });
        const page: { rows: Row[] | null; next_cursor: string | null } = await rpc("get_recall_export", {
          p_export_id: export_id,
          p_cursor: cursor,
          p_limit: PAGE,
        });
        for (const row of page.rows ?? []) parts.push(csvLine(COLUMNS.map((name) => cell(row[name]))));
        done += page.rows?.length ?? 0;
        cursor = page.next_cursor;
      } while (cursor);
      const name = Object.values(trace)
        .join("-")
        .replace(/[^\w-]+/g, "_");
      saveFile(`recall-${name}.csv`, new Blob(["\uFEFF", ...parts], { type: "text/csv" }));
      toast("ok", t`${formatNumber(done)} units are in the file.`);
    } catch (error) {
      toast("bad", explain(error));
    } finally {
      setRead(null);
    }
  }
  return (
    <Button className="min-h-14 text-lg" disabled={read !== null} onClick={() => void save()}>
      <FileDown aria-hidden />
      {read ? (
        <Trans>
          {formatNumber(read.done)} of {formatNumber(read.of)} …
        </Trans>
      ) : (
        <Trans>Export as CSV</Trans>
      )}
    </Button>
  );
}

const cell = (value: string | string[] | null | undefined): string =>
  Array.isArray(value) ? value.join("; ") : (value ?? "");
