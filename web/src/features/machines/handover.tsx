import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX } from "lucide-react";
import { useCentres, useSite, useSiteZone } from "@/features/production/queries";
import { formatAge, formatNumber, formatTime } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { Since, StateBadge } from "./badges";
import { MachinesFrame } from "./frame";
import { Handovers, SignForm } from "./handover-sign";
import { useAndon, useFilter, useHandovers, useShiftStart } from "./queries";
import type { ShiftStart } from "./types";
import { reasonName } from "./words";

/** From one shift to the next: what one has to know to begin, and what one leaves behind, signed. */
export function HandoverPage() {
  const { t } = useLingui();
  const site = useSite();
  const [filter, set] = useFilter();
  const centres = useCentres();
  const machines = useAndon({ site });
  const used = new Set(machines.data?.map((one) => one.work_centre));
  const here = centres.data?.filter((one) => one.site === site && used.has(one.code)) ?? [];
  const centre = filter.centre ?? here[0]?.code;
  const start = useShiftStart(centre);
  const handovers = useHandovers(centre);
  return (
    <MachinesFrame current="handover">
      <div className="w-64">
        <Select
          label={t`Work centre`}
          value={centre ?? ""}
          onChange={(event) => set({ centre: event.target.value || undefined })}
        >
          {here.map((one) => (
            <option key={one.code} value={one.code}>
              {one.title}
            </option>
          ))}
        </Select>
      </div>
      {centres.data && machines.data && here.length === 0 && (
        <Empty>{t`No machine belongs to a work centre yet. A planner says which.`}</Empty>
      )}
      {centre && <Pending of={start} />}
      {start.data && (
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <div className="flex flex-col gap-4">
            <Machines of={start.data} />
            <People of={start.data} />
          </div>
          <CanRun of={start.data} />
        </div>
      )}
      {centre && <SignForm centre={centre} />}
      {handovers.data && <Handovers list={handovers.data} />}
    </MachinesFrame>
  );
}

function Machines({ of }: { of: ShiftStart }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const when = of.starts_at && of.ends_at ? `${formatTime(of.starts_at, zone)}–${formatTime(of.ends_at, zone)}` : null;
  return (
    <Panel title={of.shift ? [of.title, of.shift, when].filter(Boolean).join(", ") : t`No shift is planned`}>
      <ul className="flex flex-col gap-2">
        {of.machines.map((one) => (
          <li key={one.machine} className="flex flex-wrap items-center gap-2">
            <Link
              to="/machine/$code"
              params={{ code: one.machine }}
              className="inline-flex min-h-12 min-w-0 flex-1 items-center font-semibold underline"
            >
              {one.name}
            </Link>
            <StateBadge state={one.state} />
            <span className="text-sm text-soft">
              {one.reason && <b>{reasonName(one.reason, null)}</b>} <Since at={one.since} />
            </span>
            {one.open_repairs > 0 && <Badge tone="warn">{t`repairs: ${one.open_repairs}`}</Badge>}
            <Badge
              tone={one.is_ready ? "ok" : "bad"}
              icon={one.is_ready ? <CircleCheck aria-hidden /> : <CircleX aria-hidden />}
            >
              {one.is_ready ? t`can run` : t`cannot run`}
            </Badge>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function People({ of }: { of: ShiftStart }) {
  const { t } = useLingui();
  return (
    <Panel title={t`Who is here`}>
      {of.people.length === 0 && <p className="text-soft">{t`Nobody did anything here within the hour.`}</p>}
      <ul className="flex flex-wrap gap-2">
        {of.people.map((one) => (
          <li key={one.user_id} className="rounded-lg bg-sunk px-3 py-2">
            <b>{one.full_name}</b>{" "}
            <span className="text-sm text-soft">
              {one.station} {t`${formatAge(Date.now() - Date.parse(one.last_seen))} ago`}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function CanRun({ of }: { of: ShiftStart }) {
  const { t } = useLingui();
  return (
    <Panel title={t`What can be made now`}>
      {of.can_run.length === 0 && <p className="text-soft">{t`Nothing waits here.`}</p>}
      <ol className="flex flex-col gap-1">
        {of.can_run.map((one) => (
          <li key={`${one.order} ${one.sequence}`} className="flex flex-wrap items-center gap-2">
            <Link
              to="/production/orders/$code"
              params={{ code: one.order }}
              className="inline-flex min-h-12 items-center font-mono underline"
            >
              {one.order}
            </Link>
            <span className="min-w-0 flex-1 truncate">{one.sku}</span>
            <span>
              <Trans>{formatNumber(one.pieces)} pieces</Trans>
            </span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
