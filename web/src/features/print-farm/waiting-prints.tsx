import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { FilePlus2, PackagePlus } from "lucide-react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { bookWaiting } from "./act";
import type { Mapped } from "./map-file";
import { useFarmSite, useFarmZone, useMachineName, useRuns } from "./queries";
import type { RunRow } from "./types";
import { fileName } from "./words";

/** Prints whose file nobody has mapped yet: nothing is lost, and one tap books them once it is mapped. */
export function WaitingPrints({ onMap }: { onMap: (file: Mapped) => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const runs = useRuns(useFarmSite(), { filter: "unmapped" });
  if (!runs.data?.length) return null;
  const ready = runs.data.filter((row) => row.expected).length;
  return (
    <Panel
      title={<Trans>Prints that wait for their parts to be named</Trans>}
      tools={
        ready > 1 &&
        may(who, "farm.review") && (
          <Button look="primary" onClick={() => void bookWaiting({})}>
            <PackagePlus aria-hidden className="size-5" /> <Trans>Book all that are clear: {ready}</Trans>
          </Button>
        )
      }
    >
      <ul aria-label={t`Prints without a mapping`} className="flex flex-col divide-y divide-line">
        {runs.data.map((row) => (
          <Item key={row.run.id} row={row} onMap={onMap} />
        ))}
      </ul>
      {runs.hasNextPage && (
        <Button className="mt-3 w-full" onClick={() => void runs.fetchNextPage()}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </Panel>
  );
}

function Item({ row, onMap }: { row: RunRow; onMap: (file: Mapped) => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const zone = useFarmZone();
  const machineName = useMachineName();
  const { run, machine, expected } = row;
  const name = fileName(run.gcode_filename, run.plate);
  return (
    <li aria-label={name} className="flex flex-wrap items-center gap-3 py-3">
      <div className="min-w-0 flex-1">
        <Link
          to="/print-farm/$part"
          params={{ part: "prints" }}
          search={{ run: run.id }}
          className="inline-flex min-h-12 items-center font-semibold underline [overflow-wrap:anywhere]"
        >
          {name}
        </Link>
        <p className="text-sm text-soft">
          {machineName(machine)} · {formatInstant(run.finished_at, zone)}
        </p>
      </div>
      {expected ? (
        <>
          <Badge tone="ok">{expected.map((one) => `${formatNumber(one.quantity)} × ${one.sku}`).join(", ")}</Badge>
          {may(who, "farm.review") && (
            <Button look="primary" aria-label={t`Book it: ${name}`} onClick={() => void bookWaiting({ run: run.id })}>
              <PackagePlus aria-hidden className="size-5" /> <Trans>Book it</Trans>
            </Button>
          )}
        </>
      ) : (
        may(who, "farm.manage") && (
          <Button
            aria-label={t`Map this file: ${name}`}
            onClick={() => onMap({ name: run.gcode_filename ?? run.candidates[0] ?? "", plate: run.plate })}
          >
            <FilePlus2 aria-hidden className="size-5" /> <Trans>Map this file</Trans>
          </Button>
        )
      )}
    </li>
  );
}
