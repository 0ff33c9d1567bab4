import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { ClipboardCheck, FileQuestionMark, LoaderCircle, TriangleAlert } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { useFarmZone, useMachineName } from "./queries";
import type { ScheduleRow } from "./types";
import { formatGrams, formatMinutes, formatSoon } from "./words";

/** One part of one priority: what it takes, when it will be there, who waits. */
export function ScheduleItem({ row, onLog }: { row: ScheduleRow; onLog: () => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  return (
    <li className="grid items-center gap-x-4 gap-y-2 py-3 lg:grid-cols-[minmax(0,1fr)_auto_auto]">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2">
          <span className="text-lg font-semibold">{row.title}</span>
          <span className="text-soft">{[row.sku, row.color, row.material].filter(Boolean).join(" · ")}</span>
        </p>
        <Forecast row={row} />
        <Waiting row={row} />
      </div>
      <Facts row={row} />
      {may(who, "farm.log") && (
        <Button className="lg:w-36" onClick={onLog} aria-label={t`Log print: ${row.title}`}>
          <ClipboardCheck aria-hidden className="size-5" /> <Trans>Log print</Trans>
        </Button>
      )}
    </li>
  );
}

function Facts({ row }: { row: ScheduleRow }) {
  const { t } = useLingui();
  const facts: [string, string, string][] = [
    [t`Needed`, formatNumber(row.demand), ""],
    [t`On hand`, row.available === null ? t`being counted` : formatNumber(row.available), ""],
    [t`Short`, formatNumber(row.deficit), "text-lg text-bad"],
    [t({ message: "Prints", context: "3D prints" }), formatNumber(row.prints_required), "text-2xl font-bold"],
    [t`Plate time`, formatMinutes(row.minutes_required), ""],
    [t`Filament`, formatGrams(row.grams_required), ""],
  ];
  return (
    <dl className="grid grid-cols-3 gap-x-3 gap-y-1 sm:grid-cols-[4rem_4.5rem_4rem_4rem_8rem_5rem]">
      {facts.map(([label, value, look]) => (
        <div key={label} className="flex flex-col-reverse justify-end">
          <dt className="text-sm text-soft">{label}</dt>
          <dd className={`font-semibold tabular-nums ${look || "text-lg"}`}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** When it will be done, and on which printers. */
function Forecast({ row }: { row: ScheduleRow }) {
  const zone = useFarmZone();
  const machineName = useMachineName();
  const now = useNow();
  const when = row.planned_finish ? formatSoon(row.planned_finish, zone, now) : null;
  const where = row.machines?.map(machineName).join(", ");
  return (
    <div className="flex flex-wrap items-center gap-2 text-sm">
      {row.printing_now > 0 && (
        <Badge tone="accent" icon={<LoaderCircle aria-hidden />}>
          <Trans>Printing now: {row.printing_now}</Trans>
        </Badge>
      )}
      {when && where && (
        <span>
          <Trans>
            Done {when} on {where}
          </Trans>
        </span>
      )}
      {row.is_late && (
        <Badge tone="bad" icon={<TriangleAlert aria-hidden />}>
          {row.due_date ? <Trans>Too late: due {formatDay(row.due_date)}</Trans> : <Trans>Too late</Trans>}
        </Badge>
      )}
      {row.prints_required === 0 && (
        <span className="text-soft">
          <Trans>Comes off the plates above.</Trans>
        </span>
      )}
      {row.prints_required > 0 && !when && (
        <Badge tone="warn" icon={<TriangleAlert aria-hidden />}>
          <Trans>No printer for {row.material} is in service</Trans>
        </Badge>
      )}
      {!row.has_file && (
        <Link to="/print-farm/$part" params={{ part: "parts" }} search={{ q: row.sku }} className="min-h-12 py-2">
          <Badge tone="warn" icon={<FileQuestionMark aria-hidden />}>
            <Trans>No file mapped yet</Trans>
          </Badge>
        </Link>
      )}
    </div>
  );
}

function Waiting({ row }: { row: ScheduleRow }) {
  const first = row.orders.slice(0, 3);
  const more = row.orders.length - first.length;
  if (first.length === 0) return null;
  return (
    <Link
      to="/print-farm/$part"
      params={{ part: "orders" }}
      search={{ sku: row.sku }}
      className="inline-flex min-h-12 flex-wrap items-center gap-x-2 rounded-lg text-sm underline hover:bg-sunk"
    >
      <Trans>Waiting:</Trans>{" "}
      {first.map(({ code, missing }) => (
        <span key={code}>
          {code} ({formatNumber(missing)})
        </span>
      ))}
      {more > 0 && <Trans>and {more} more</Trans>}
    </Link>
  );
}
