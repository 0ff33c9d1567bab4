import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { withdraw } from "./approval-act";
import { AskDialog, DecideDialog } from "./approval-forms";
import { ProductionFrame } from "./frame";
import { useApprovals, useFilter, useSite, useSiteZone } from "./queries";
import { APPROVAL_TYPES, type ProductionSearch } from "./search";
import type { ApprovalEntry } from "./types";
import { approvalEffect, approvalName, approvalState, approvalSubject, approvalTone } from "./words";

/** What one person asked for and another one decides. */
export function ApprovalsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter, set] = useFilter();
  const approvals = useApprovals(site, filter);
  const [open, setOpen] = useState<{ entry: ApprovalEntry; decision: "APPROVED" | "REJECTED" } | "ask" | null>(null);
  return (
    <ProductionFrame current="approvals">
      <div className="flex flex-wrap items-end gap-2">
        <Filters filter={filter} set={set} />
        {may(who, "production.request") && (
          <Button look="primary" className="ml-auto" onClick={() => setOpen("ask")}>
            <Trans>Ask for something</Trans>
          </Button>
        )}
      </div>
      <Pending of={approvals} />
      {approvals.data?.length === 0 && (
        <Empty>
          {filter.show === "all" ? t`Nobody has asked for anything yet.` : t`Nothing waits for a decision.`}
        </Empty>
      )}
      <ul aria-label={t`Requests`} className="flex flex-col gap-3">
        {approvals.data?.map((entry) => (
          <li key={entry.approval.id}>
            <Entry entry={entry} onDecide={(decision) => setOpen({ entry, decision })} />
          </li>
        ))}
      </ul>
      {approvals.hasNextPage && (
        <Button
          className="self-center"
          disabled={approvals.isFetchingNextPage}
          onClick={() => void approvals.fetchNextPage()}
        >
          <Trans>Show more</Trans>
        </Button>
      )}
      {open === "ask" && <AskDialog site={site} onClose={() => setOpen(null)} />}
      {open !== null && open !== "ask" && <DecideDialog {...open} onClose={() => setOpen(null)} />}
    </ProductionFrame>
  );
}

function Filters({ filter, set }: { filter: ProductionSearch; set: (change: ProductionSearch) => void }) {
  const { t } = useLingui();
  return (
    <search className="flex flex-wrap gap-2">
      <Select
        quiet
        label={t`State`}
        value={filter.show ?? ""}
        onChange={(event) => set({ show: event.target.value === "all" ? "all" : undefined })}
      >
        <option value="">{t`Waiting for a decision`}</option>
        <option value="all">{t`All there ever were`}</option>
      </Select>
      <Select
        quiet
        label={t`Kind`}
        value={filter.type ?? ""}
        onChange={(event) => set({ type: (event.target.value || undefined) as ProductionSearch["type"] })}
      >
        <option value="">{t`Every kind`}</option>
        {APPROVAL_TYPES.map((one) => (
          <option key={one} value={one}>
            {approvalName(one)}
          </option>
        ))}
      </Select>
    </search>
  );
}

function Entry(props: { entry: ApprovalEntry; onDecide: (decision: "APPROVED" | "REJECTED") => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const { entry } = props;
  const { approval } = entry;
  const asker = entry.requested_by_name ?? t`The system`;
  const range = [approval.starts_at, approval.ends_at]
    .filter((at) => at !== null)
    .map((at) => formatInstant(at, zone))
    .join(" – ");
  return (
    <Panel
      title={approvalSubject(entry)}
      tools={<Badge tone={approvalTone(approval.status)}>{approvalState(approval.status)}</Badge>}
    >
      {range && <p className="mb-1 font-semibold">{range}</p>}
      <p className="text-lg">“{approval.justification}”</p>
      <p className="text-sm text-soft">
        <Trans>
          Asked by {asker}, {formatInstant(approval.requested_at, zone)}
        </Trans>
      </p>
      {approval.status === "PENDING" ? (
        <>
          <p className="mt-2">
            <Trans>If approved: {approvalEffect(entry)}</Trans>
          </p>
          <Decide entry={entry} onDecide={props.onDecide} />
        </>
      ) : (
        <Decided entry={entry} />
      )}
    </Panel>
  );
}

function Decided({ entry }: { entry: ApprovalEntry }) {
  const zone = useSiteZone();
  const { approval, decided_by_name } = entry;
  const at = approval.decided_at ? formatInstant(approval.decided_at, zone) : "";
  const name = decided_by_name ?? "–";
  return (
    <p className="mt-2 text-sm">
      {approval.status === "WITHDRAWN" ? (
        <Trans>Taken back {at}</Trans>
      ) : (
        <Trans>
          Decided by {name}, {at}
        </Trans>
      )}
      {approval.response_notes && <span className="block text-base">“{approval.response_notes}”</span>}
    </p>
  );
}

/** The two buttons; or why they are not there. Who asks never decides. */
function Decide(props: { entry: ApprovalEntry; onDecide: (decision: "APPROVED" | "REJECTED") => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { approval, may_decide } = props.entry;
  const isMine = approval.requested_by !== null && approval.requested_by === who?.user_id;
  if (isMine)
    return (
      <div className="mt-3 flex flex-wrap items-center gap-3">
        <p className="min-w-0 flex-1 basis-52 rounded-lg bg-info-bg p-3 text-info">
          {t`You asked for it, so somebody else decides.`}
        </p>
        <Button onClick={() => void withdraw(approval.id)}>
          <Trans>Take it back</Trans>
        </Button>
      </div>
    );
  if (!may_decide)
    return (
      <p className="mt-3 text-soft">
        {may(who, "production.approve")
          ? t`A loss of yours is in it, so somebody else decides.`
          : t`A planner or manager decides; your role does not.`}
      </p>
    );
  return (
    <div className="mt-3 flex flex-wrap gap-2">
      <Button look="primary" className="min-h-14 flex-1" onClick={() => props.onDecide("APPROVED")}>
        <Trans>Approve</Trans>
      </Button>
      <Button look="danger" className="min-h-14 flex-1" onClick={() => props.onDecide("REJECTED")}>
        <Trans>Reject</Trans>
      </Button>
    </div>
  );
}
