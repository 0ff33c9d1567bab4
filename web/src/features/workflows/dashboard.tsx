import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { usePlant, useZone } from "@/features/core/queries";
import { stageName } from "@/lib/labels";
import { formatNumber } from "@/lib/time";
import { STAGES, type Stage, type StageCount } from "@/lib/types";
import { Select } from "@/ui/field";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { AttentionBadges, DueBadge, PriorityBadge, STAGE_ICONS } from "./badges";
import { useCounts, useUnassigned } from "./queries";
import type { BoardSearch } from "./search";

const sum = (counts: StageCount[], key: "tickets" | "unassigned" | "high" | "overdue") =>
  counts.reduce((total, one) => total + Number(one[key]), 0);

/** How the shop stands: counts per stage, and what nobody has taken. */
export function DashboardPage() {
  const { t } = useLingui();
  const { store } = useSearch({ strict: false }) as BoardSearch;
  const navigate = useNavigate();
  const plant = usePlant();
  const counts = useCounts(store);
  const tools = (
    <div className="w-52">
      <Select
        quiet
        label={t`Store`}
        value={store ?? ""}
        onChange={(event) =>
          void navigate({ to: "/dashboard", search: { store: event.target.value || undefined } as never })
        }
      >
        <option value="">{t`All stores`}</option>
        {plant.data?.stores.map((one) => (
          <option key={one.code} value={one.code}>
            {one.name}
          </option>
        ))}
      </Select>
    </div>
  );
  return (
    <Page title={t`Dashboard`} tools={tools}>
      <Pending of={counts} />
      {counts.data && (
        <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
          {STAGES.map((stage) => (
            <StageTile
              key={stage}
              stage={stage}
              store={store}
              counts={counts.data.filter((one) => one.stage === stage)}
            />
          ))}
        </ul>
      )}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        {STAGES.map((stage) => (
          <Unassigned key={stage} store={store} stage={stage} />
        ))}
      </div>
    </Page>
  );
}

function StageTile({ stage, store, counts }: { stage: Stage; store: string | undefined; counts: StageCount[] }) {
  const { t } = useLingui();
  const Icon = STAGE_ICONS[stage];
  const overdue = sum(counts, "overdue");
  const facts: [string, number, string][] = [
    [t`Unassigned`, sum(counts, "unassigned"), ""],
    [t`Urgent`, sum(counts, "high"), ""],
    [t`Overdue`, overdue, overdue > 0 ? "text-bad font-bold" : ""],
  ];
  return (
    <li>
      <Link
        to="/board"
        search={{ store, stage } as never}
        className="block h-full rounded-2xl border border-line bg-panel p-4 hover:border-accent"
      >
        <span className="flex items-center gap-2 text-soft">
          <Icon aria-hidden /> {stageName(stage)}
        </span>
        <span className="block text-5xl leading-tight font-bold">{formatNumber(sum(counts, "tickets"))}</span>
        <span className="mt-2 flex justify-between gap-2">
          {facts.map(([label, value, look]) => (
            <span key={label} className={look}>
              <b className="block text-xl leading-tight">{formatNumber(value)}</b>
              <span className="text-sm">{label}</span>
            </span>
          ))}
        </span>
      </Link>
    </li>
  );
}

function Unassigned({ store, stage }: { store: string | undefined; stage: Stage }) {
  const query = useUnassigned(store, stage);
  const zone = useZone(store);
  const orders = query.data?.orders ?? [];
  const name = stageName(stage);
  const total = query.data?.total ?? 0;
  return (
    <Panel title={<Trans>Nobody has it: {name}</Trans>} tools={<b className="text-lg">{formatNumber(total)}</b>}>
      <Pending of={query} />
      {query.data && orders.length === 0 && (
        <p className="text-soft">
          <Trans>Everything is taken.</Trans>
        </p>
      )}
      <ul className="flex flex-col divide-y divide-line">
        {orders.slice(0, 8).map((order) => (
          <li key={order.id}>
            <Link
              to="/orders/$id"
              params={{ id: order.id }}
              className="flex min-h-14 flex-wrap items-center gap-2 py-1.5 hover:bg-sunk"
            >
              <span className="font-mono font-semibold">{order.id}</span>
              <span className="min-w-0 flex-1 truncate">
                {[order.size, order.flavour].filter(Boolean).join(" · ") || order.product_title}
              </span>
              <AttentionBadges order={order} />
              {order.priority === "High" && <PriorityBadge priority="High" />}
              <DueBadge order={order} zone={zone} />
            </Link>
          </li>
        ))}
      </ul>
      {total > 8 && (
        <Link
          to="/board"
          search={{ store, stage } as never}
          className="flex min-h-12 items-center text-accent underline"
        >
          <Trans>All {total} on the board</Trans>
        </Link>
      )}
    </Panel>
  );
}
