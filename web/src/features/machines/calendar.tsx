import { Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useCentres, useSite, useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay, formatInstant, plantDay } from "@/lib/time";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { order } from "./act";
import { ExceptionDialog, PlanStopDialog } from "./calendar-forms";
import { endsOf, type PatternShift, useExceptions, usePatterns, usePlannedStops } from "./calendar-queries";
import { MachinesFrame } from "./frame";
import { PatternDialog } from "./pattern-form";
import { useFilter } from "./queries";
import { className, weekdayName } from "./words";

/** When machines are meant to work: shifts of the week, days that are different, stops that are planned. */
export function CalendarPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter, set] = useFilter();
  const centres = useCentres();
  const here = centres.data?.filter((one) => one.site === site) ?? [];
  const centre = filter.centre ?? here[0]?.code;
  const patterns = usePatterns(centre);
  const [isOpen, setOpen] = useState(false);
  const plans = may(who, "kpi.plan");
  const zone = useSiteZone();
  const today = plantDay(zone);
  const current = patterns.data?.find((one) => one.valid_from <= today) ?? patterns.data?.at(-1);
  return (
    <MachinesFrame current="calendar">
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
      <Panel
        title={t`Shifts of the week`}
        tools={
          plans &&
          centre && (
            <Button onClick={() => setOpen(true)}>
              <Trans>Change the shifts</Trans>
            </Button>
          )
        }
      >
        <Pending of={patterns} />
        {patterns.data?.length === 0 && <Empty>{t`No shifts yet: no time is planned here, so there is no OEE.`}</Empty>}
        {patterns.data?.map((one) => (
          <div key={one.id} className="mb-3">
            <p className={one.id === current?.id ? "font-semibold" : "text-soft"}>
              {t`From ${formatDay(one.valid_from)}`} {one.id === current?.id && t`(in force)`}
            </p>
            <Shifts of={one.shifts} />
          </div>
        ))}
      </Panel>
      <Exceptions site={site} centre={centre} plans={plans} />
      <PlannedStops site={site} plans={plans} />
      {isOpen && centre && (
        <PatternDialog centre={centre} shifts={current?.shifts ?? []} onClose={() => setOpen(false)} />
      )}
    </MachinesFrame>
  );
}

function Shifts({ of }: { of: PatternShift[] }) {
  const { t } = useLingui();
  return (
    <ul className="flex flex-col gap-1">
      {of.map((one) => (
        <li key={one.shift} className="flex flex-wrap gap-x-3">
          <b>{one.title ?? one.shift}</b>
          <span>
            {one.starts.slice(0, 5)}–{one.ends.slice(0, 5)}
          </span>
          <span className="text-soft">
            {one.weekdays && one.weekdays.length < 7 ? one.weekdays.map(weekdayName).join(", ") : t`every day`}
          </span>
          {one.breaks?.map((pause) => (
            <span key={pause.starts} className="text-soft">
              {t`break ${pause.starts.slice(0, 5)}–${pause.ends.slice(0, 5)}`}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}

function Exceptions({ site, centre, plans }: { site: string | null; centre: string | undefined; plans: boolean }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const list = useExceptions(site, plantDay(zone));
  const [isOpen, setOpen] = useState(false);
  return (
    <Panel
      title={t`Days that are different`}
      tools={
        plans && (
          <Button onClick={() => setOpen(true)}>
            <Plus aria-hidden /> <Trans>A day off</Trans>
          </Button>
        )
      }
    >
      <Pending of={list} />
      {list.data?.length === 0 && <p className="text-soft">{t`None ahead.`}</p>}
      <ul className="flex flex-col gap-1">
        {list.data?.map((one) => (
          <li key={one.id} className="flex flex-wrap items-center gap-x-3">
            <b>
              {formatDay(one.from_day)}
              {one.to_day !== one.from_day && ` – ${formatDay(one.to_day)}`}
            </b>
            <span>{one.reason}</span>
            <span className="text-soft">{one.work_centre ?? t`the whole site`}</span>
            {plans && (
              <Button
                look="quiet"
                onClick={() =>
                  void order(
                    "save_calendar_exception",
                    {
                      p_from_day: one.from_day,
                      p_to_day: one.to_day,
                      p_reason: one.reason,
                      p_id: one.id,
                      p_is_active: false,
                    } as never,
                    () => t`Work is as always again.`,
                  )
                }
              >
                <Trans>Take it back</Trans>
              </Button>
            )}
          </li>
        ))}
      </ul>
      {isOpen && <ExceptionDialog site={site} centre={centre} onClose={() => setOpen(false)} />}
    </Panel>
  );
}

function PlannedStops({ site, plans }: { site: string | null; plans: boolean }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [now] = useState(() => new Date().toISOString());
  const list = usePlannedStops(site, now);
  const [isOpen, setOpen] = useState(false);
  return (
    <Panel
      title={t`Planned stops`}
      tools={
        plans && (
          <Button onClick={() => setOpen(true)}>
            <Plus aria-hidden /> <Trans>Plan a stop</Trans>
          </Button>
        )
      }
    >
      <Pending of={list} />
      {list.data?.length === 0 && <p className="text-soft">{t`None ahead. Breaks belong to their shifts.`}</p>}
      <ul aria-label={t`Planned stops`} className="flex flex-col gap-1">
        {list.data?.map((one) => {
          const [from, to] = endsOf(one.during);
          return (
            <li key={one.id} className="flex flex-wrap items-center gap-x-3">
              <b className="font-mono">{one.machine}</b>
              <span>{className(one.time_class)}</span>
              <span>
                {from && formatInstant(from, zone)} – {to && formatInstant(to, zone)}
              </span>
              <span className="text-soft">{one.note}</span>
              {plans && (
                <Button
                  look="quiet"
                  onClick={() =>
                    void order("cancel_planned_stop", { p_id: one.id } as never, () => t`It is not planned any more.`)
                  }
                >
                  <Trans>Take it back</Trans>
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      {isOpen && <PlanStopDialog site={site} onClose={() => setOpen(false)} />}
    </Panel>
  );
}
