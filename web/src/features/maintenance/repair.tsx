import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import { Unanswered } from "@/features/core/unanswered";
import { useSiteZone } from "@/features/production/queries";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { CheckList } from "./checklist";
import { useRepair } from "./queries";
import { RepairActions } from "./repair-actions";
import { RepairFiles } from "./repair-files";
import { RepairHistory } from "./repair-history";
import { RepairParts } from "./repair-parts";
import type { RepairDetail } from "./types";
import { repairState, repairTitle, repairTone, urgencyName, waitName } from "./words";

/** One repair or work order: what it is, what to do next, what was done. */
export function RepairPage() {
  const { t } = useLingui();
  const { id } = useParams({ strict: false }) as { id: string };
  const repair = useRepair(id);
  const { data } = repair;
  return (
    <Page
      title={data ? `${data.machine_name}: ${repairTitle(data)}` : t`Repair ${id}`}
      tools={
        <LinkButton to="/maintenance">
          <Trans>All repairs</Trans>
        </LinkButton>
      }
    >
      <Unanswered entity={id} />
      <Pending of={repair} />
      {data && (
        <>
          <Facts of={data} />
          <RepairActions of={data} />
          {data.checks.length > 0 && <CheckList of={data} />}
          <div className="grid items-start gap-4 lg:grid-cols-2">
            <RepairHistory of={data} />
            <div className="flex flex-col gap-4">
              <RepairParts of={data} />
              <RepairFiles of={data} />
            </div>
          </div>
        </>
      )}
    </Page>
  );
}

/** A number with its unit, or a dash. */
function useAmount() {
  const { t } = useLingui();
  return {
    minutes: (value: number | null) => (value === null ? "–" : t`${formatNumber(value)} min`),
    hours: (value: number | null) => (value === null ? "–" : t`${formatNumber(value)} h`),
  };
}

function Facts({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const amount = useAmount();
  const { repair } = of;
  const facts: [string, React.ReactNode][] = [
    [
      t`Machine`,
      <Link
        key="machine"
        to="/machine/$code"
        params={{ code: repair.machine }}
        className="-my-2.5 inline-flex min-h-12 items-center font-mono underline"
      >
        {repair.machine}
      </Link>,
    ],
    [t`Since`, formatInstant(repair.occurred_at, zone)],
    [t`Reported by`, of.reported_by ?? (repair.source === "qr" ? t`somebody with the QR code` : t`the plan`)],
    [t`Who has it`, of.assignee ?? t`nobody yet`],
    [t`Urgency`, urgencyName(repair.priority)],
    [t`Until acknowledged`, amount.minutes(of.reaction_min)],
    [t`Downtime`, amount.hours(of.downtime_h)],
    [t`Cost`, formatNumber(of.total_cost)],
  ];
  return (
    <Panel>
      <Badges repair={repair} />
      {repair.description && <p className="mb-3 text-lg whitespace-pre-line">{repair.description}</p>}
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-sm text-soft">{name}</dt>
            <dd className="text-lg">{value}</dd>
          </div>
        ))}
      </dl>
      <Done of={of} />
      <Related of={of} />
    </Panel>
  );
}

function Badges({ repair }: { repair: RepairDetail["repair"] }) {
  const { t } = useLingui();
  return (
    <div className="mb-3 flex flex-wrap gap-2">
      <Badge tone={repairTone(repair.status)}>{repairState(repair.status)}</Badge>
      {repair.waits_for && <Badge tone="warn">{waitName(repair.waits_for)}</Badge>}
      {repair.is_down && <Badge tone="bad">{t`The machine stands for it`}</Badge>}
      {repair.type === "scheduled" && <Badge tone="info">{t`Planned work`}</Badge>}
      {repair.reports > 1 && <Badge>{t`Reported ${repair.reports} times`}</Badge>}
      {repair.reopened > 0 && <Badge tone="warn">{t`Came back ${repair.reopened} times: the same failure`}</Badge>}
    </div>
  );
}

function Done({ of: { repair } }: { of: RepairDetail }) {
  const { t } = useLingui();
  if (!repair.cause && !repair.actions_taken) return null;
  return (
    <dl className="mt-3 grid gap-3 border-t border-line pt-3 sm:grid-cols-2">
      {repair.cause && (
        <div>
          <dt className="text-sm text-soft">{t`Cause`}</dt>
          <dd className="whitespace-pre-line">{repair.cause}</dd>
        </div>
      )}
      {repair.actions_taken && (
        <div>
          <dt className="text-sm text-soft">{t`What was done`}</dt>
          <dd className="whitespace-pre-line">
            {repair.actions_taken}
            {repair.performed_by && <span className="block text-soft">{repair.performed_by}</span>}
          </dd>
        </div>
      )}
    </dl>
  );
}

/** What its checklist found, or whose checklist found it. */
function Related({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const { repair } = of;
  if (of.found.length === 0 && repair.found_by === null) return null;
  return (
    <p className="mt-3 flex flex-wrap items-center gap-x-3 border-t border-line pt-2">
      {repair.found_by !== null && <RepairLink id={repair.found_by} text={t`Found by work order ${repair.found_by}`} />}
      {of.found.map((id) => (
        <RepairLink key={id} id={id} text={t`Found: repair ${id}`} />
      ))}
    </p>
  );
}

function RepairLink({ id, text }: { id: number; text: string }) {
  return (
    <Link
      to="/maintenance/repairs/$id"
      params={{ id: String(id) }}
      className="inline-flex min-h-12 items-center underline"
    >
      {text}
    </Link>
  );
}
