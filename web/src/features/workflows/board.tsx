import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link, useSearch } from "@tanstack/react-router";
import { Plus, UserPlus, X } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import { usePlant, useStaffName } from "@/features/core/queries";
import { stageName } from "@/lib/labels";
import { queries } from "@/lib/query";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { type Order, STAGES, type Stage } from "@/lib/types";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { useOrderCommands } from "./actions";
import { StageColumn } from "./column";
import { Filters } from "./filters";
import type { BoardSearch } from "./search";

const AssignDialog = lazy(() => import("./assign"));
const NewOrderDialog = lazy(() => import("./new-order"));

export function BoardPage() {
  const search = useSearch({ strict: false }) as BoardSearch;
  const { t } = useLingui();
  const { who } = useStore(session);
  const plant = usePlant();
  const nameOf = useStaffName();
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [creating, setCreating] = useState(false);
  const pick = useCallback((id: string, on: boolean) => {
    setPicked((old) => {
      const fresh = new Set(old);
      if (on) fresh.add(id);
      else fresh.delete(id);
      return fresh;
    });
  }, []);
  const zoneOf = useCallback(
    (store: string) => {
      const site = plant.data?.stores.find((one) => one.code === store)?.site;
      return plant.data?.sites.find((one) => one.code === site)?.time_zone ?? "UTC";
    },
    [plant.data],
  );
  const { stage, ...filter } = search;
  const stages: Stage[] = stage ? [stage] : [...STAGES];
  return (
    <div className="flex h-full flex-col gap-3 p-3">
      <div className="flex flex-wrap items-center gap-3">
        <h1 className="text-2xl font-bold max-lg:sr-only">{t`Board`}</h1>
        <StageTabs search={search} />
        {may(who, "orders.create") && (
          <Button className="ml-auto" onClick={() => setCreating(true)}>
            <Plus aria-hidden /> <Trans>New order</Trans>
          </Button>
        )}
      </div>
      <Filters search={search} />
      <div
        className={cx(
          "grid min-h-0 flex-1 grid-rows-[minmax(0,1fr)] auto-cols-[86%] grid-flow-col gap-3 overflow-x-auto sm:auto-cols-[48%] xl:auto-cols-fr",
          stage && "auto-cols-[100%]! ",
        )}
      >
        {stages.map((one) => (
          <StageColumn
            key={one}
            stage={one}
            filter={filter}
            zoneOf={zoneOf}
            nameOf={nameOf}
            canWork={may(who, "orders.complete_stage")}
            picked={picked}
            onPick={may(who, "orders.assign") && one !== "Complete" ? pick : undefined}
          />
        ))}
      </div>
      <BulkBar picked={picked} onClear={() => setPicked(new Set())} />
      {creating && (
        <Suspense fallback={null}>
          <NewOrderDialog store={search.store} onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </div>
  );
}

function StageTabs({ search }: { search: BoardSearch }) {
  const { t } = useLingui();
  const tabs: [string, Stage | undefined][] = [
    [t`All stages`, undefined],
    ...[...STAGES, "Complete" as const].map((stage): [string, Stage] => [stageName(stage), stage]),
  ];
  return (
    <nav aria-label={t`Stages`} className="flex max-w-full gap-1 overflow-x-auto rounded-xl bg-sunk p-1">
      {tabs.map(([label, stage]) => (
        <Link
          key={label}
          to="/board"
          search={{ ...search, stage } as never}
          aria-current={search.stage === stage ? "page" : undefined}
          className={cx(
            "flex min-h-12 items-center rounded-lg px-3 whitespace-nowrap",
            search.stage === stage ? "bg-panel font-semibold shadow" : "text-soft hover:bg-panel",
          )}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}

/** The stores of tickets that are on the screen. */
function storesOf(ids: ReadonlySet<string>): string[] {
  const stores = new Set<string>();
  for (const [, page] of queries.getQueriesData<{ orders: Order[] }>({ queryKey: ["queue"] })) {
    for (const order of page?.orders ?? []) if (ids.has(order.id)) stores.add(order.store);
  }
  return [...stores];
}

function BulkBar({ picked, onClear }: { picked: ReadonlySet<string>; onClear: () => void }) {
  const { assignMany } = useOrderCommands();
  const [asking, setAsking] = useState(false);
  if (picked.size === 0) return null;
  return (
    <div className="flex items-center gap-2 rounded-xl border-2 border-accent bg-panel p-2 pl-4">
      <span className="mr-auto font-semibold" role="status">
        <Plural value={picked.size} one="# ticket selected" other="# tickets selected" />
      </span>
      <Button look="primary" onClick={() => setAsking(true)}>
        <UserPlus aria-hidden /> <Trans>Assign</Trans>
      </Button>
      <Button look="quiet" onClick={onClear}>
        <X aria-hidden /> <Trans>Clear</Trans>
      </Button>
      {asking && (
        <Suspense fallback={null}>
          <AssignDialog
            open
            onClose={() => setAsking(false)}
            stores={storesOf(picked)}
            count={picked.size}
            onChoose={async (staff) => {
              setAsking(false);
              if (await assignMany([...picked], staff)) onClear();
            }}
          />
        </Suspense>
      )}
    </div>
  );
}
