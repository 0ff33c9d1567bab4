import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Dialog } from "@/ui/dialog";
import { Photo } from "@/ui/photo";
import { Empty, Pending } from "@/ui/states";
import { useFarmZone, useMachineName, useRun } from "./queries";
import type { RunRow } from "./types";
import { VerdictPlace } from "./verdict";
import { fileName, formatGrams, formatMinutes, outcomeName, outcomeTone, reasonWords, waitsName } from "./words";

/** One print: what is known of it, what it gave and to whom, and the place to decide or correct. */
export function RunDialog({ id, onClose }: { id: number; onClose: () => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const row = useRun(id);
  return (
    <Dialog open onClose={onClose} title={t`Print ${id}`}>
      <Pending of={row} />
      {row.data === null && <Empty>{t`There is no such print.`}</Empty>}
      {row.data && (
        <div className="flex flex-col gap-4">
          <Known row={row.data} />
          {may(who, "farm.review") && <VerdictPlace key={row.data.run.version} row={row.data} onDone={onClose} />}
        </div>
      )}
    </Dialog>
  );
}

function Known({ row }: { row: RunRow }) {
  const { t } = useLingui();
  const { run, lines, orders } = row;
  return (
    <>
      <div>
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-semibold [overflow-wrap:anywhere]">{fileName(run.gcode_filename, run.plate)}</span>
          <Badge tone={outcomeTone(run.outcome)}>{outcomeName(run.outcome)}</Badge>
          {waitsName(run.status) && <Badge tone="warn">{waitsName(run.status)}</Badge>}
        </p>
        {run.reasons.length > 0 && (
          <ul className="mt-1 font-medium">
            {run.reasons.map((reason) => (
              <li key={reason}>{reasonWords(reason)}</li>
            ))}
          </ul>
        )}
      </div>
      <Facts row={row} />
      {run.photo && <Photo path={run.photo} alt={t`The plate as it came out`} />}
      {lines.length > 0 && (
        <ul>
          {lines.map((line) => (
            <li key={line.sku} className="flex gap-2">
              <span className="mr-auto">{line.title}</span>
              <span className="font-semibold tabular-nums">
                <Trans>
                  {formatNumber(line.qty)} of {formatNumber(line.planned)} good
                </Trans>
              </span>
            </li>
          ))}
        </ul>
      )}
      {orders.length > 0 && (
        <p className="flex flex-wrap items-center gap-x-2">
          <Trans>Its parts went to:</Trans>
          {orders.map((one) => (
            <Link
              key={`${one.code}-${one.sku}`}
              to="/print-farm/$part"
              params={{ part: "orders" }}
              search={{ code: one.code }}
              className="inline-flex min-h-12 items-center underline"
            >
              {one.code} ({formatNumber(one.quantity)} × {one.sku})
            </Link>
          ))}
        </p>
      )}
    </>
  );
}

function Facts({ row }: { row: RunRow }) {
  const { t } = useLingui();
  const zone = useFarmZone();
  const machineName = useMachineName();
  const { run, machine } = row;
  const error = run.error as { code?: string; text?: string } | null;
  const facts: [string, string | null][] = [
    [t`Printer`, machineName(machine)],
    [t`Began`, run.started_at && formatInstant(run.started_at, zone)],
    [t`Ended`, formatInstant(run.finished_at, zone)],
    [t`Took`, run.minutes === null ? null : formatMinutes(run.minutes)],
    [t`Filament`, run.grams ? formatGrams(run.grams) : null],
    [t`Skipped objects`, run.skipped_object_ids.length > 0 ? run.skipped_object_ids.join(", ") : null],
    [t`Error`, [error?.code, error?.text].filter(Boolean).join(": ") || null],
    [t`Note`, run.notes],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts
        .filter(([, value]) => value)
        .map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-soft">{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
