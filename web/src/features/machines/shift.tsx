import { Trans, useLingui } from "@lingui/react/macro";
import { useSite, useSiteZone } from "@/features/production/queries";
import { formatDay, formatNumber, formatSpan, formatTime, plantDay } from "@/lib/time";
import { Bar } from "@/ui/charts/bar";
import { Key } from "@/ui/charts/key";
import { DataRow, DataTable } from "@/ui/charts/table";
import { cx } from "@/ui/cx";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { LineChoice, MachineChoice } from "./choices";
import { MachinesFrame } from "./frame";
import { useAndon, useFilter, useShiftBoard, useShifts } from "./queries";
import type { ShiftHour } from "./types";
import { timeName } from "./words";

/** Plan against actual, hour by hour: of the shift that is on, or of another one. */
export function ShiftPage() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const [filter, set] = useFilter();
  const machines = useAndon({ site, line: filter.line });
  const machine = filter.machine ?? machines.data?.[0]?.machine;
  const board = useShiftBoard(machine, filter.day, filter.shift);
  const shifts = useShifts(machine, filter.day ?? plantDay(zone));
  return (
    <MachinesFrame current="shift">
      <search className="flex flex-wrap items-end gap-2">
        <LineChoice />
        <MachineChoice />
        <div className="w-44">
          <Input
            label={t`Day`}
            type="date"
            max={plantDay(zone)}
            value={filter.day ?? ""}
            onChange={(event) => set({ day: event.target.value || undefined, shift: undefined })}
          />
        </div>
        <div className="w-44">
          <Select
            label={t`Shift`}
            value={filter.shift ?? ""}
            onChange={(event) =>
              set({
                shift: event.target.value || undefined,
                day: filter.day ?? (event.target.value ? plantDay(zone) : undefined),
              })
            }
          >
            <option value="">{filter.day ? t`The first one` : t`The one that is on`}</option>
            {shifts.data?.map((one) => (
              <option key={one.shift} value={one.shift}>
                {one.title}
              </option>
            ))}
          </Select>
        </div>
      </search>
      <Pending of={machines} />
      {machines.data?.length === 0 && <p className="text-soft">{t`There are no machines yet. A planner adds them.`}</p>}
      {machine && <Pending of={board} />}
      {board.data && !board.error && <Board hours={board.data} />}
    </MachinesFrame>
  );
}

function Board({ hours }: { hours: ShiftHour[] }) {
  const { t } = useLingui();
  const now = Date.now();
  const last = hours.at(-1);
  const most = Math.max(1, ...hours.map((one) => Math.max(one.target ?? 0, one.good + one.scrap + one.rework)));
  return (
    <>
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Figure name={t`Good so far`} value={formatNumber(last?.good_so_far ?? 0)} />
        {last?.due_by_now !== undefined && <Figure name={t`Should be by now`} value={planned(last.due_by_now)} />}
        <Figure name={t`Plan of the shift`} value={planned(last?.target_so_far ?? null)} />
      </dl>
      {hours.some((one) => one.target === null) && (
        <p role="status" className="text-warn">
          <Trans>
            Nobody has said how long a piece takes at best, so there is no plan. A planner sets the ideal cycle.
          </Trans>
        </p>
      )}
      <Panel title={t`Hour by hour`} tools={last && <Which hour={last} />}>
        <DataTable
          label={t`Plan and actual by hour`}
          heads={[t`Hour`, "", t`Plan`, t`Good`, t`Scrap`, t`Rework`, t`Plan so far`, t`Good so far`, t`Lost most to`]}
        >
          {hours.map((one) => (
            <HourRow key={one.starts_at} hour={one} most={most} now={now} />
          ))}
        </DataTable>
        <Key
          looks={[
            { look: "good", name: t`good` },
            { look: "quality", name: t`rework` },
            { look: "stop", name: t`scrap` },
          ]}
        />
        <p className="text-sm text-soft">
          <Trans>The upright mark is the plan of the hour.</Trans>
        </p>
      </Panel>
    </>
  );
}

/** Whole pieces, or a dash where there is no plan. */
const planned = (target: number | null) => (target === null ? "–" : formatNumber(Math.round(target)));

/** Whose hours they are: machine, work centre, shift. */
function Which({ hour }: { hour: ShiftHour }) {
  const centre = hour.work_centre_title ?? hour.work_centre;
  return (
    <p className="text-soft">
      <b className="text-ink">{hour.name}</b> · {centre} · {hour.shift_title} · {formatDay(hour.shift_date)}
    </p>
  );
}

function HourRow({ hour, most, now }: { hour: ShiftHour; most: number; now: number }) {
  const zone = useSiteZone();
  const isAhead = Date.parse(hour.starts_at) > now;
  const isOver = Date.parse(hour.ends_at) <= now;
  const tone = hour.target === null || !isOver ? "" : hour.good < hour.target ? "text-bad" : "text-ok";
  const title = hour.main_loss_title ?? hour.main_loss ?? "";
  const made = (pieces: number) => (isAhead ? "" : formatNumber(pieces));
  return (
    <DataRow
      name={
        <span className="whitespace-nowrap">
          {formatTime(hour.starts_at, zone)}–{formatTime(hour.ends_at, zone)}
        </span>
      }
      cells={[
        <Bar
          key="bar"
          className="min-w-40"
          max={most}
          mark={hour.target}
          parts={[
            { value: hour.good, look: "good" },
            { value: hour.rework, look: "quality" },
            { value: hour.scrap, look: "stop" },
          ]}
        />,
        planned(hour.target),
        <b key="good" className={tone}>
          {made(hour.good)}
        </b>,
        made(hour.scrap),
        made(hour.rework),
        planned(hour.target_so_far),
        made(hour.good_so_far),
        <span key="loss" className="whitespace-nowrap">
          {hour.main_loss && `${timeName(hour.main_loss, title)} ${formatSpan(hour.main_loss_s ?? 0)}`}
        </span>,
      ]}
    />
  );
}

export function Figure({ name, value, note, tone }: { name: string; value: string; note?: string; tone?: string }) {
  return (
    <div className={cx("flex flex-col rounded-2xl border p-3", tone || "border-line bg-panel")}>
      <dt className={tone ? "text-sm" : "text-sm text-soft"}>{name}</dt>
      <dd className="text-3xl font-bold" data-figure={name}>
        {value}
        {note && <span className="block text-sm font-normal text-soft">{note}</span>}
      </dd>
    </div>
  );
}
