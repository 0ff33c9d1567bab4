import { Trans, useLingui } from "@lingui/react/macro";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useFarmSite, useFarmZone, useFilter, useMachineName, useMachines, useRuns } from "./queries";
import { RunDialog } from "./run-dialog";
import type { RunRow } from "./types";
import { fileName, outcomeName, outcomeTone, waitsName } from "./words";

/** Every print there was, the latest first; the filters are in the address. */
export function RunsPart() {
  const { t } = useLingui();
  const site = useFarmSite();
  const [filter, set] = useFilter();
  const machines = useMachines(site);
  const runs = useRuns(site, filter);
  const filters: [string, string][] = [
    ["", t`All prints`],
    ["attention", t`To be looked at`],
    ["plates", t`Plate not cleared`],
    ["counted", t`In stock`],
    ["failed", t`Failed or cancelled`],
  ];
  return (
    <Panel title={<Trans context="3D prints">Prints</Trans>}>
      <search className="mb-2 flex flex-wrap gap-2">
        <Select
          quiet
          label={t`Show`}
          value={filter.filter ?? ""}
          onChange={(event) => set({ filter: event.target.value || undefined })}
        >
          {filters.map(([key, label]) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </Select>
        <Select
          quiet
          label={t`Printer`}
          value={filter.machine ?? ""}
          onChange={(event) => set({ machine: event.target.value || undefined })}
        >
          <option value="">{t`All printers`}</option>
          {machines.data?.map(({ machine }) => (
            <option key={machine.code} value={machine.code}>
              {machine.name}
            </option>
          ))}
        </Select>
      </search>
      <Pending of={runs} />
      {runs.data?.length === 0 && <Empty>{t`No such prints.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {runs.data?.map((row) => (
          <Item key={row.run.id} row={row} onOpen={() => set({ run: row.run.id })} />
        ))}
      </ul>
      {runs.hasNextPage && (
        <Button className="mt-3 w-full" onClick={() => void runs.fetchNextPage()} disabled={runs.isFetchingNextPage}>
          <Trans>Show more</Trans>
        </Button>
      )}
      {filter.run !== undefined && <RunDialog id={filter.run} onClose={() => set({ run: undefined })} />}
    </Panel>
  );
}

function Item({ row, onOpen }: { row: RunRow; onOpen: () => void }) {
  const zone = useFarmZone();
  const machineName = useMachineName();
  const { run, machine, lines } = row;
  return (
    <li>
      <button
        type="button"
        onClick={onOpen}
        className="flex min-h-14 w-full flex-wrap items-center gap-x-4 gap-y-1 rounded-lg p-2 text-left hover:bg-sunk"
      >
        <span className="min-w-0 max-sm:w-full sm:flex-1">
          <span className="block font-semibold [overflow-wrap:anywhere]">
            {lines.length > 0 && !run.gcode_filename
              ? lines.map((line) => line.title).join(", ")
              : fileName(run.gcode_filename, run.plate)}
          </span>
          <span className="text-sm text-soft">
            {machineName(machine) ?? <Trans>By hand</Trans>} · {formatInstant(run.finished_at, zone)}
          </span>
        </span>
        {run.plate_status === "waiting" && (
          <Badge tone="info">
            <Trans>Plate not cleared</Trans>
          </Badge>
        )}
        {lines.map((line) => (
          <span key={line.sku} className="font-semibold tabular-nums">
            {formatNumber(line.qty)} / {formatNumber(line.planned)} {line.sku}
          </span>
        ))}
        <Badge tone={waitsName(run.status) ? "warn" : outcomeTone(run.outcome)}>
          {waitsName(run.status) || outcomeName(run.outcome)}
        </Badge>
      </button>
    </li>
  );
}
