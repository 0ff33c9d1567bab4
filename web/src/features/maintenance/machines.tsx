import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Plus, QrCode } from "lucide-react";
import { useState } from "react";
import type { Line, Machine } from "@/features/machines/types";
import { useSite } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { LineFilter } from "./filters";
import { MaintenanceFrame } from "./frame";
import { LineDialog } from "./line-form";
import { MachineDialog } from "./machine-form";
import { QrDialog } from "./qr";
import { useFilter, useLines, useMachines } from "./queries";
import { MACHINE_STATES, type MaintenanceSearch } from "./search";
import type { MachineRow } from "./types";
import { machineState, machineTone } from "./words";

/** The register: every machine and line, what state it is in, and how its QR code looks. */
export function MachinesPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter, set] = useFilter();
  const machines = useMachines(site, filter);
  const [form, setForm] = useState<Machine | "new" | null>(null);
  const [qr, setQr] = useState<Machine | null>(null);
  const manages = may(who, "maintenance.manage");
  return (
    <MaintenanceFrame current="machines">
      <Lines manages={manages} />
      <div className="flex flex-wrap items-end gap-2">
        <search className="flex min-w-0 flex-1 flex-wrap gap-2">
          <SearchBox
            label={t`Search`}
            placeholder={t`Name, asset, serial number …`}
            value={filter.q ?? ""}
            onChange={(q) => set({ q: q || undefined })}
          />
          <LineFilter />
          <Select
            quiet
            label={t`State`}
            value={filter.status ?? ""}
            onChange={(event) => set({ status: (event.target.value || undefined) as MaintenanceSearch["status"] })}
          >
            <option value="">{t`Every state`}</option>
            {MACHINE_STATES.map((one) => (
              <option key={one} value={one}>
                {machineState(one)}
              </option>
            ))}
          </Select>
          <Button
            look={filter.show === "all" ? "primary" : "plain"}
            aria-pressed={filter.show === "all"}
            onClick={() => set({ show: filter.show === "all" ? undefined : "all" })}
          >
            <Trans>Also those not in use</Trans>
          </Button>
        </search>
        {manages && (
          <Button look="primary" onClick={() => setForm("new")}>
            <Plus aria-hidden className="size-5" /> <Trans>New machine</Trans>
          </Button>
        )}
      </div>
      <Pending of={machines} />
      {machines.data?.length === 0 && <Empty>{t`No such machines.`}</Empty>}
      <ul aria-label={t`Machines`} className="grid gap-3 lg:grid-cols-2">
        {machines.data?.map((row) => (
          <li key={row.machine.code} className="flex flex-col gap-2 rounded-2xl border border-line bg-panel p-4">
            <Facts row={row} />
            {manages && (
              <div className="mt-auto flex flex-wrap gap-2">
                <Button onClick={() => setQr(row.machine)}>
                  <QrCode aria-hidden /> <Trans>Its QR code</Trans>
                </Button>
                <Button onClick={() => setForm(row.machine)}>
                  <Trans>Change</Trans>
                </Button>
              </div>
            )}
          </li>
        ))}
      </ul>
      {machines.hasNextPage && (
        <Button className="self-center" onClick={() => void machines.fetchNextPage()}>
          <Trans>Show more</Trans>
        </Button>
      )}
      {form && <MachineDialog machine={form === "new" ? null : form} onClose={() => setForm(null)} />}
      {qr && <QrDialog machine={qr.code} name={qr.name} onClose={() => setQr(null)} />}
    </MaintenanceFrame>
  );
}

function Facts({ row }: { row: MachineRow }) {
  const { t } = useLingui();
  const { machine } = row;
  const facts = [
    [machine.manufacturer, machine.model].filter(Boolean).join(" "),
    machine.asset_number && t`asset ${machine.asset_number}`,
    machine.serial_number && t`serial ${machine.serial_number}`,
    machine.line && t`line ${machine.line}`,
    machine.work_centre && t`work centre ${machine.work_centre}`,
  ].filter(Boolean);
  return (
    <>
      <p className="flex flex-wrap items-center gap-2">
        <Link
          to="/machine/$code"
          params={{ code: machine.code }}
          className="inline-flex min-h-12 min-w-0 flex-1 items-center gap-2 text-lg font-semibold underline"
        >
          {machine.name} <span className="font-mono text-base font-normal text-soft">{machine.code}</span>
        </Link>
        {machine.is_active ? (
          <Badge tone={machineTone(row.status)}>{machineState(row.status)}</Badge>
        ) : (
          <Badge>{t`not in use`}</Badge>
        )}
      </p>
      <p className="text-sm text-soft">{facts.join(" · ")}</p>
      <p className="flex flex-wrap gap-x-3 text-sm">
        <span>
          <Plural value={row.open_repairs} one="# open repair" other="# open repairs" />
        </span>
        {row.hours_since_repair !== null && (
          <span>{t`repaired ${formatNumber(Math.round(row.hours_since_repair))} h ago`}</span>
        )}
        {row.run_hours !== null && row.run_hours > 0 && (
          <span>{t`${formatNumber(Math.round(row.run_hours))} running hours`}</span>
        )}
        {row.plans_due > 0 && (
          <b className="text-warn">
            <Plural value={row.plans_due} one="# plan due" other="# plans due" />
          </b>
        )}
      </p>
    </>
  );
}

function Lines({ manages }: { manages: boolean }) {
  const { t } = useLingui();
  const lines = useLines(useSite());
  const [form, setForm] = useState<Line | "new" | null>(null);
  return (
    <Panel
      title={t`Lines`}
      tools={
        manages && (
          <Button onClick={() => setForm("new")}>
            <Plus aria-hidden /> <Trans>New line</Trans>
          </Button>
        )
      }
    >
      <Pending of={lines} />
      {lines.data?.length === 0 && <p className="text-soft">{t`There are no lines yet.`}</p>}
      <ul className="flex flex-wrap gap-3">
        {lines.data?.map(({ line, status, machines }) => (
          <li key={line.code} className="flex items-center gap-2 rounded-xl border border-line p-2 pl-3">
            <b>{line.title}</b>
            <Badge tone={machineTone(status)}>{machineState(status)}</Badge>
            <span className="text-soft">
              <Plural value={machines} one="# machine" other="# machines" />
            </span>
            {manages && (
              <Button look="quiet" onClick={() => setForm(line)}>
                <Trans>Change</Trans>
              </Button>
            )}
          </li>
        ))}
      </ul>
      {form && <LineDialog line={form === "new" ? null : form} onClose={() => setForm(null)} />}
    </Panel>
  );
}
