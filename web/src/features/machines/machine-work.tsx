import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { RepairCard } from "@/features/maintenance/card";
import type { MachineDetail } from "@/features/maintenance/types";
import { everyWords, leftWords, repairState, repairTone } from "@/features/maintenance/words";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { Panel } from "@/ui/page";

const CLOSED_SHOWN = 3;

/** What is wrong with it, and what was last. */
export function Repairs({ of }: { of: MachineDetail }) {
  const { t } = useLingui();
  const open = of.repairs.filter((one) => one.repair.is_open);
  const closed = of.repairs.filter((one) => !one.repair.is_open).slice(0, CLOSED_SHOWN);
  return (
    <Panel
      title={t`Repairs`}
      tools={
        <LinkButton to="/maintenance/history" search={{ machine: of.machine.code } as never}>
          <Trans>Its history</Trans>
        </LinkButton>
      }
    >
      {open.length === 0 && <p className="mb-2 text-soft">{t`Nothing is open.`}</p>}
      <ul className="flex flex-col gap-2">
        {[...open, ...closed].map((row) => (
          <li key={row.repair.id}>
            <RepairCard
              row={row}
              withState={<Badge tone={repairTone(row.repair.status)}>{repairState(row.repair.status)}</Badge>}
            />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What is to be done to it before it breaks, and when. */
export function Plans({ of }: { of: MachineDetail }) {
  const { t } = useLingui();
  return (
    <Panel
      title={t`Maintenance due`}
      tools={
        <LinkButton to="/maintenance/plans" search={{ machine: of.machine.code } as never}>
          <Trans>Its plans</Trans>
        </LinkButton>
      }
    >
      {of.plans.length === 0 && <p className="text-soft">{t`There is no plan for it.`}</p>}
      <ul className="flex flex-col gap-2">
        {of.plans.map((row) => (
          <li key={row.plan.id} className="flex flex-wrap items-center gap-2">
            <span className="min-w-0 flex-1">
              <b>{row.plan.title}</b> <span className="text-soft">{everyWords(row)}</span>
            </span>
            <Badge tone={row.is_due ? "warn" : "plain"}>{leftWords(row)}</Badge>
            {row.open_repair !== null && (
              <Link
                to="/maintenance/repairs/$id"
                params={{ id: String(row.open_repair) }}
                className="inline-flex min-h-12 items-center underline"
              >
                <Trans>Work order {row.open_repair}</Trans>
              </Link>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
