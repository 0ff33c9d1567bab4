import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import { stageName } from "@/lib/labels";
import { formatNumber } from "@/lib/time";
import type { Order, Stage } from "@/lib/types";
import { Empty, Pending } from "@/ui/states";
import { STAGE_ICONS } from "./badges";
import { OrderCard } from "./card";
import { type QueueFilter, useQueue } from "./queries";
import { allDay } from "./stage";

interface Props {
  stage: Stage;
  filter: QueueFilter;
  zoneOf: (store: string) => string;
  nameOf: (id: string | null) => string | null;
  canWork: boolean;
  picked: ReadonlySet<string>;
  onPick?: ((id: string, picked: boolean) => void) | undefined;
}

const CARD_WIDTH = 340;
const SHOWN = { narrow: 3, wide: 12 };

/** One stage: how many, the all-day totals, and its tickets; only the visible cards exist. */
export function StageColumn({ stage, filter, zoneOf, nameOf, canWork, picked, onPick }: Props) {
  const { t } = useLingui();
  const query = useQueue({ ...filter, stage });
  const orders = query.data?.orders ?? [];
  const Icon = STAGE_ICONS[stage];
  const name = stageName(stage);
  const [scroller, lanes] = useLanes();
  const virtual = useVirtualizer({
    count: orders.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 196,
    getItemKey: (index) => orders[index]?.id ?? index,
    overscan: 4,
    gap: 8,
    paddingEnd: 88, // the scan button floats over the end
    lanes,
  });
  return (
    <section aria-label={name} className="flex h-full min-w-0 flex-col rounded-2xl bg-sunk">
      <header className="flex items-center gap-2 px-3 pt-3 pb-1">
        <Icon aria-hidden className="text-accent" />
        <h2 className="text-lg font-bold">{name}</h2>
        <span className="ml-auto rounded-full bg-panel px-3 py-0.5 text-lg font-bold">
          {formatNumber(query.data?.total ?? 0)}
        </span>
      </header>
      <Totals orders={orders} most={lanes > 1 ? SHOWN.wide : SHOWN.narrow} label={t`All day, ${name}`} />
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto p-2" tabIndex={-1}>
        <Pending of={query} />
        {query.data && orders.length === 0 && (
          <Empty>
            <Trans>Nothing here.</Trans>
          </Empty>
        )}
        <ul className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const order = orders[item.index];
            if (!order) return null;
            return (
              <li
                key={item.key}
                data-index={item.index}
                ref={virtual.measureElement}
                className="absolute top-0 px-0.5"
                style={{
                  left: `${(item.lane * 100) / lanes}%`,
                  width: `${100 / lanes}%`,
                  transform: `translateY(${item.start}px)`,
                }}
              >
                <OrderCard
                  order={order}
                  zone={zoneOf(order.store)}
                  assignee={nameOf(order.assignee_id)}
                  canWork={canWork}
                  onPick={onPick}
                  picked={picked.has(order.id)}
                />
              </li>
            );
          })}
        </ul>
      </div>
    </section>
  );
}

/** As many cards side by side as fit. */
function useLanes() {
  const scroller = useRef<HTMLDivElement>(null);
  const [lanes, setLanes] = useState(1);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const watch = new ResizeObserver(() => setLanes(Math.max(1, Math.floor(box.clientWidth / CARD_WIDTH))));
    watch.observe(box);
    return () => watch.disconnect();
  }, []);
  return [scroller, lanes] as const;
}

function Totals({ orders, most, label }: { orders: Order[]; most: number; label: string }) {
  const totals = useMemo(() => allDay(orders), [orders]);
  if (totals.length === 0) return null;
  return (
    <ul aria-label={label} className="flex flex-wrap gap-1.5 px-3 pb-2">
      {totals.slice(0, most).map(({ key, count }) => (
        <li key={key} className="max-w-full truncate rounded-md bg-panel px-2 py-0.5 text-sm">
          <b>{formatNumber(count)}</b> × {key}
        </li>
      ))}
      {totals.length > most && (
        <li className="px-1 py-0.5 text-sm text-soft">
          <Plural value={totals.length - most} one="and # more kind" other="and # more kinds" />
        </li>
      )}
    </ul>
  );
}
