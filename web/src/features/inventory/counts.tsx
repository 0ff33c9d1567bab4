import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ClipboardList } from "lucide-react";
import { useState } from "react";
import { useStaffName, useZone } from "@/features/core/queries";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Switch } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useCounts, usePlaceName } from "./queries";
import type { StockSearch } from "./search";
import { StartCountDialog } from "./start-count";
import type { Count } from "./types";
import { countState, countTone } from "./words";

/** Blind counts: those that are open, and on request those that are done. */
export function CountsPart() {
  const { t } = useLingui();
  const navigate = useNavigate();
  const search = useSearch({ strict: false }) as StockSearch;
  const counts = useCounts(search.all ?? false);
  const [starting, setStarting] = useState(false);
  const tools = (
    <Button look="primary" onClick={() => setStarting(true)}>
      <ClipboardList aria-hidden className="size-5" /> <Trans>Start a count</Trans>
    </Button>
  );
  return (
    <Panel title={<Trans>Counts</Trans>} tools={tools}>
      <p className="text-soft">
        <Trans>
          You count without seeing what should be there. Small differences are booked at once; another person decides
          about large ones.
        </Trans>
      </p>
      <Switch
        label={t`Also finished counts`}
        checked={search.all ?? false}
        onChange={(event) =>
          void navigate({
            to: ".",
            search: { ...search, all: event.target.checked || undefined } as never,
            replace: true,
          })
        }
      />
      <Pending of={counts} />
      {counts.data?.length === 0 && <Empty>{t`Nobody is counting.`}</Empty>}
      <ul aria-label={t`Counts`} className="flex flex-col divide-y divide-line">
        {counts.data?.map((count) => (
          <CountRow key={count.id} count={count} />
        ))}
      </ul>
      {starting && <StartCountDialog onClose={() => setStarting(false)} />}
    </Panel>
  );
}

function CountRow({ count }: { count: Count }) {
  const { t } = useLingui();
  const zone = useZone();
  const staffName = useStaffName();
  const placeName = usePlaceName();
  return (
    <li>
      <Link
        to="/stock/counts/$id"
        params={{ id: String(count.id) }}
        className="flex min-h-16 flex-wrap items-center gap-x-4 gap-y-1 rounded-lg p-2 hover:bg-sunk"
      >
        <span className="min-w-0 flex-1">
          <span className="block font-semibold">
            {t`Count ${count.id}`} · {placeName(count.location)}
          </span>
          <span className="text-sm text-soft">
            {staffName(count.started_by)} · {formatInstant(count.started_at, zone)}
            {count.note && ` · ${count.note}`}
          </span>
        </span>
        <Badge tone={countTone(count.status)}>{countState(count.status)}</Badge>
      </Link>
    </li>
  );
}
