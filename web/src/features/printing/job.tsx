import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import { CircleX, Pause, Play, RotateCcw } from "lucide-react";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button, LinkButton } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { print } from "./act";
import { JobPicture } from "./last-label";
import { OutcomeButtons } from "./outcome";
import { type JobDetail, usePrintJob } from "./queries";
import { ReprintDialog } from "./reprint";
import { reprintReason, stateName, stateTone, typeName } from "./words";

const EVIDENCE = ["accepted", "drained", "counted", "seen", "scanned"] as const;

/** One print job: what was asked, what is known, its picture, its whole history. */
export function JobPage() {
  const { t } = useLingui();
  const { id } = useParams({ strict: false }) as { id: string };
  const detail = usePrintJob(Number(id));
  return (
    <Page
      title={t`Print job ${id}`}
      tools={<LinkButton to="/printing/$part" params={{ part: "jobs" }}>{t`All jobs`}</LinkButton>}
    >
      <Pending of={detail} />
      {detail.data && <Detail detail={detail.data} />}
    </Page>
  );
}

function Detail({ detail }: { detail: JobDetail }) {
  const { t } = useLingui();
  const { job } = detail;
  return (
    <div className="grid gap-4 lg:grid-cols-[1fr_24rem]">
      <div className="flex flex-col gap-4">
        <Panel title={job.subject} tools={<Badge tone={stateTone(job.state)}>{stateName(job.state)}</Badge>}>
          {job.why && <p className="mb-2 font-medium">{job.why}</p>}
          {job.state === "unknown" && (
            <div className="mb-3 rounded-xl bg-warn-bg p-4">
              <p className="mb-2 text-lg font-semibold text-warn">
                <Trans>Go to {detail.printer_name} and look: did it come out?</Trans>
              </p>
              <OutcomeButtons job={job.id} total={job.labels * job.copies} />
            </div>
          )}
          <Facts detail={detail} />
          <Actions detail={detail} />
        </Panel>
        <Panel title={<Trans>What happened</Trans>}>
          <History detail={detail} />
        </Panel>
      </div>
      <Panel title={<Trans>The label</Trans>} className="self-start">
        <JobPicture id={job.id} />
        <p className="mt-2 text-sm text-soft">{t`Template ${detail.template}, version ${detail.version}`}</p>
      </Panel>
    </div>
  );
}

function Facts({ detail }: { detail: JobDetail }) {
  const { t } = useLingui();
  const { job } = detail;
  const proofs = {
    accepted: t`The bytes were accepted; nothing more is known`,
    drained: t`The printer has emptied its buffer`,
    counted: t`The printer's counter moved`,
    seen: t`A person looked`,
    scanned: t`The label was scanned`,
  };
  const proof = job.evidence_level === null ? undefined : EVIDENCE[job.evidence_level];
  const facts: [string, string | null][] = [
    [t`Kind`, typeName(job.label_type)],
    [t`Printer`, detail.printer_name],
    [t`Labels`, job.labels * job.copies > 1 ? String(job.labels * job.copies) : null],
    [t`Asked for by`, detail.requested_by_name],
    [t`How it is known`, proof ? proofs[proof] : null],
    [t`Label number`, job.print_no > 1 ? String(job.print_no) : null],
    [t`Reason of the reprint`, job.reason ? reprintReason(job.reason) : null],
    [t`Note`, job.note],
    [t`Labels too many`, job.extra_labels > 0 ? String(job.extra_labels) : null],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts
        .filter(([, value]) => value)
        .map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-soft">{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Actions({ detail }: { detail: JobDetail }) {
  const { who } = useStore(session);
  const [reprinting, setReprinting] = useState(false);
  const { job } = detail;
  const running = ["queued", "held", "claimed", "sending", "sent"].includes(job.state);
  return (
    <div className="mt-4 flex flex-wrap gap-2">
      {job.state === "queued" && may(who, "printing.supervise") && (
        <Button onClick={() => void print("hold_print", { p_job_id: job.id })}>
          <Pause aria-hidden className="size-5" /> <Trans>Hold</Trans>
        </Button>
      )}
      {job.state === "held" && may(who, "printing.supervise") && (
        <Button onClick={() => void print("resume_print", { p_job_id: job.id })}>
          <Play aria-hidden className="size-5" /> <Trans>Resume</Trans>
        </Button>
      )}
      {running && may(who, "printing.request") && (
        <Button look="danger" onClick={() => void print("cancel_print", { p_job_id: job.id })}>
          <CircleX aria-hidden className="size-5" /> <Trans>Cancel</Trans>
        </Button>
      )}
      {["printed", "failed", "expired", "cancelled"].includes(job.state) && may(who, "printing.reprint") && (
        <Button onClick={() => setReprinting(true)}>
          <RotateCcw aria-hidden className="size-5" /> <Trans>Print it again</Trans>
        </Button>
      )}
      {[...(job.reprint_of === null ? [] : [{ id: job.reprint_of, words: "↑" }]), ...detail.reprints].map((other) => (
        <Link
          key={other.id}
          to="/printing/jobs/$id"
          params={{ id: String(other.id) }}
          className="flex min-h-12 items-center rounded-lg px-3 underline hover:bg-sunk"
        >
          {"words" in other ? <Trans>The label before</Trans> : <Trans>Reprint {other.id}</Trans>}
        </Link>
      ))}
      {reprinting && <ReprintDialog job={job} onClose={() => setReprinting(false)} />}
    </div>
  );
}

function History({ detail }: { detail: JobDetail }) {
  const zone = useZone(detail.job.store);
  return (
    <ol className="flex flex-col gap-2">
      {detail.events.map((event) => (
        <li key={event.id} className="flex flex-wrap gap-x-3">
          <time dateTime={event.at} className="tabular-nums text-soft">
            {formatInstant(event.at, zone)}
          </time>
          <span className="font-medium">{stateName(event.to_state)}</span>
          {event.reason && <span className="min-w-0 flex-1">{event.reason}</span>}
          {event.actor_name && <span className="text-sm text-soft">{event.actor_name}</span>}
        </li>
      ))}
    </ol>
  );
}
