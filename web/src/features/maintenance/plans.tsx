import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useSite, useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay, formatInstant, plantDay } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { maintain } from "./act";
import { MaintenanceFrame } from "./frame";
import { PlanCalendar } from "./plan-calendar";
import { PlanDialog } from "./plan-form";
import { useFilter, usePlans } from "./queries";
import type { PlanRow, RepairChange } from "./types";
import { everyWords, leftWords } from "./words";

/** What is done before something breaks: by calendar, by running hours, by cycles. */
export function PlansPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter, set] = useFilter();
  const plans = usePlans(site, filter.machine, filter.show === "all");
  const [form, setForm] = useState<PlanRow | "new" | null>(null);
  const manages = may(who, "maintenance.manage");
  return (
    <MaintenanceFrame current="plans">
      <div className="flex flex-wrap items-end gap-2">
        {filter.machine && (
          <Button onClick={() => set({ machine: undefined })}>
            <Trans>{filter.machine}: show every machine</Trans>
          </Button>
        )}
        <Button
          look={filter.show === "all" ? "primary" : "plain"}
          aria-pressed={filter.show === "all"}
          onClick={() => set({ show: filter.show === "all" ? undefined : "all" })}
        >
          <Trans>Also those not in use</Trans>
        </Button>
        {manages && (
          <Button look="primary" className="ml-auto" onClick={() => setForm("new")}>
            <Plus aria-hidden className="size-5" /> <Trans>New plan</Trans>
          </Button>
        )}
      </div>
      <Pending of={plans} />
      {plans.data?.length === 0 && <Empty>{t`There are no plans yet. A planner adds them.`}</Empty>}
      {plans.data && plans.data.length > 0 && (
        <>
          <PlanCalendar plans={plans.data} />
          <Panel title={t`What is due first`}>
            <ol className="flex flex-col gap-2">
              {plans.data.map((row) => (
                <li key={row.plan.id} className="rounded-xl border border-line p-3">
                  <Plan row={row} onChange={manages ? () => setForm(row) : undefined} />
                </li>
              ))}
            </ol>
          </Panel>
        </>
      )}
      {form && <PlanDialog row={form === "new" ? null : form} onClose={() => setForm(null)} />}
    </MaintenanceFrame>
  );
}

function Plan({ row, onChange }: { row: PlanRow; onChange: (() => void) | undefined }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const zone = useSiteZone();
  const { plan } = row;
  const begin = () =>
    void maintain<RepairChange>("start_work_order", { p_plan_id: plan.id } as never, ({ changed, repair }) =>
      changed ? t`Work order ${repair.id} is open.` : t`Work order ${repair.id} was open already.`,
    );
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <p className="min-w-0 flex-1 basis-64">
        <b className="text-lg">{plan.title}</b>{" "}
        <Link to="/machine/$code" params={{ code: plan.machine }} className="underline">
          {row.machine_name}
        </Link>
        <span className="block text-soft">
          {everyWords(row)} · {t`last done ${formatInstant(plan.done_at, zone)}`}
          {plan.due_at && ` · ${t`due ${formatDay(plantDay(zone, new Date(plan.due_at)))}`}`}
          {row.items.length > 0 && ` · ${t`checks: ${row.items.length}`}`}
        </span>
      </p>
      {!plan.is_active && <Badge>{t`not in use`}</Badge>}
      {plan.is_active && <Badge tone={row.is_due ? "warn" : "plain"}>{leftWords(row)}</Badge>}
      {row.open_repair !== null ? (
        <Link
          to="/maintenance/repairs/$id"
          params={{ id: String(row.open_repair) }}
          className="inline-flex min-h-12 items-center underline"
        >
          <Trans>Work order {row.open_repair}</Trans>
        </Link>
      ) : (
        plan.is_active &&
        may(who, "maintenance.work") && (
          <Button onClick={begin}>
            <Trans>Do it now</Trans>
          </Button>
        )
      )}
      {onChange && (
        <Button look="quiet" onClick={onChange}>
          <Trans>Change</Trans>
        </Button>
      )}
    </div>
  );
}
