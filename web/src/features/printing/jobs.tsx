import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useNow } from "@/features/workflows/badges";
import { formatAge } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { type JobFilter, usePrinters, usePrintJobs } from "./queries";
import { stateName, stateTone, typeName } from "./words";

const STATES = ["queued", "held", "claimed", "sending", "sent", "unknown", "printed", "failed", "cancelled", "expired"];

/** Every label that was ever asked for, newest first; the filters are in the address. */
export function JobsPart() {
  const { t } = useLingui();
  const now = useNow(10_000);
  const navigate = useNavigate();
  const filter = useSearch({ strict: false }) as JobFilter;
  const printers = usePrinters();
  const jobs = usePrintJobs(filter);
  const set = (changed: JobFilter) =>
    void navigate({
      to: "/printing/$part",
      params: { part: "jobs" },
      search: { ...filter, ...changed },
      replace: true,
    });
  return (
    <Panel title={<Trans>Print jobs</Trans>}>
      <div className="mb-3 grid gap-3 sm:grid-cols-3">
        <Select
          label={t`State`}
          value={filter.state ?? ""}
          onChange={(event) => set({ state: event.target.value || undefined })}
        >
          <option value="">{t`All`}</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {stateName(state)}
            </option>
          ))}
        </Select>
        <Select
          label={t`Printer`}
          value={filter.printer ?? ""}
          onChange={(event) => set({ printer: event.target.value || undefined })}
        >
          <option value="">{t`All`}</option>
          {printers.data?.map(({ printer }) => (
            <option key={printer.code} value={printer.code}>
              {printer.name}
            </option>
          ))}
        </Select>
        <Input
          label={t`Label of`}
          placeholder="bannos-18617"
          defaultValue={filter.subject ?? ""}
          onBlur={(event) => set({ subject: event.target.value.trim() || undefined })}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
        />
      </div>
      <Pending of={jobs} />
      {jobs.data?.length === 0 && <Empty>{t`No such labels.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {jobs.data?.map((job) => (
          <li key={job.id}>
            <Link
              to="/printing/jobs/$id"
              params={{ id: String(job.id) }}
              className="flex min-h-14 flex-wrap items-center gap-x-4 gap-y-1 rounded-lg p-2 hover:bg-sunk"
            >
              <span className="min-w-0 flex-1">
                <span className="block font-semibold">
                  {job.subject}
                  {job.labels > 1 && <Trans> and {job.labels - 1} more</Trans>}
                </span>
                <span className="text-sm text-soft">
                  {typeName(job.label_type)} · {job.printer}
                  {job.copies > 1 && ` · × ${job.copies}`}
                  {job.print_no > 1 && <Trans> · label no. {job.print_no}</Trans>}
                </span>
              </span>
              <span className="text-sm text-soft">
                <Trans>{formatAge(now - Date.parse(job.queued_at))} ago</Trans>
              </span>
              <Badge tone={stateTone(job.state)}>{stateName(job.state)}</Badge>
            </Link>
          </li>
        ))}
      </ul>
      {jobs.hasNextPage && (
        <Button className="mt-3 w-full" onClick={() => void jobs.fetchNextPage()} disabled={jobs.isFetchingNextPage}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </Panel>
  );
}
