import { Trans, useLingui } from "@lingui/react/macro";
import { useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { LiveBanner } from "@/features/core/live-banner";
import { usePlant, useZone } from "@/features/core/queries";
import { useSetting } from "@/features/settings/queries";
import { stageName } from "@/lib/labels";
import { formatLocale, formatNumber } from "@/lib/time";
import { STAGES, type Stage } from "@/lib/types";
import { cx } from "@/ui/cx";
import { AttentionBadges, DueBadge, STAGE_ICONS, useNow, WorkBadge } from "./badges";
import { useQueue } from "./queries";
import type { BoardSearch } from "./search";
import { allDay } from "./stage";

/** The wall display: no controls, no customer names, readable from across the room. */
export function MonitorPage() {
  const { t } = useLingui();
  const { store } = useSearch({ strict: false }) as BoardSearch;
  const plant = usePlant();
  const zone = useZone(store);
  const now = useNow(1000);
  const density = useSetting<string>({ store: store ?? plant.data?.stores[0]?.code }, "monitor.density", "cozy");
  useWakeLock();
  const clock = new Intl.DateTimeFormat(formatLocale(), { timeStyle: "short", timeZone: zone }).format(now);
  const day = new Intl.DateTimeFormat(formatLocale(), { dateStyle: "full", timeZone: zone }).format(now);
  const name = plant.data?.stores.find((one) => one.code === store)?.name ?? plant.data?.sites[0]?.name;
  // A still picture burns into a screen: it moves by a few pixels every minute.
  const shift = Math.floor(now / 60_000) % 4;
  return (
    <main
      className="flex h-dvh flex-col gap-3 overflow-hidden p-4"
      style={{ paddingLeft: 16 + shift, paddingTop: 16 + (shift % 2) }}
    >
      <LiveBanner />
      <header className="flex items-baseline gap-4">
        <h1 className="text-3xl font-bold">{name ?? t`Takt`}</h1>
        <p className="ml-auto text-xl text-soft">{day}</p>
        <p className="text-4xl font-bold">{clock}</p>
      </header>
      <div className="grid min-h-0 flex-1 grid-cols-2 gap-3 xl:grid-cols-4">
        {STAGES.map((stage) => (
          <Wall key={stage} stage={stage} store={store} zone={zone} compact={density === "compact"} />
        ))}
      </div>
    </main>
  );
}

function Wall({
  stage,
  store,
  zone,
  compact,
}: {
  stage: Stage;
  store: string | undefined;
  zone: string;
  compact: boolean;
}) {
  const query = useQueue({ store, stage });
  const orders = query.data?.orders ?? [];
  const Icon = STAGE_ICONS[stage];
  const totals = allDay(orders).slice(0, compact ? 8 : 4);
  return (
    <section className="flex min-h-0 flex-col overflow-hidden rounded-2xl bg-sunk p-3" aria-label={stageName(stage)}>
      <h2 className="flex items-center gap-3 text-2xl font-bold">
        <Icon aria-hidden className="size-8 text-accent" />
        {stageName(stage)}
        <span className="ml-auto text-4xl">{formatNumber(query.data?.total ?? 0)}</span>
      </h2>
      <ul className="mt-1 mb-2 flex flex-wrap gap-x-4 text-lg">
        {totals.map(({ key, count }) => (
          <li key={key} className="max-w-full truncate">
            <b>{formatNumber(count)}</b> × {key}
          </li>
        ))}
      </ul>
      <ul className={cx("fade-out flex min-h-0 flex-1 flex-col overflow-hidden", compact ? "gap-1" : "gap-2")}>
        {orders.slice(0, 30).map((order) => (
          <li key={order.id} className={cx("shrink-0 rounded-xl bg-panel", compact ? "px-3 py-1" : "p-3")}>
            <span className={cx("flex gap-x-3", compact ? "items-baseline" : "flex-col")}>
              <b className="font-mono text-lg">{order.id}</b>
              <span className="min-w-0 flex-1 truncate text-xl">
                {[order.size, order.flavour].filter(Boolean).join(" · ") || order.product_title}
              </span>
            </span>
            {!compact && (
              <span className="mt-1 flex flex-wrap gap-1">
                <AttentionBadges order={order} />
                <DueBadge order={order} zone={zone} />
                <WorkBadge order={order} />
              </span>
            )}
          </li>
        ))}
      </ul>
      {query.data && orders.length === 0 && (
        <p className="text-xl text-soft">
          <Trans>Nothing here.</Trans>
        </p>
      )}
    </section>
  );
}

/** Asks the browser to keep the screen on while the page is shown. */
export function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    const take = async () => {
      if (document.visibilityState !== "visible") return;
      lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    };
    void take();
    document.addEventListener("visibilitychange", take);
    return () => {
      document.removeEventListener("visibilitychange", take);
      void lock?.release();
    };
  }, []);
}
