import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { PackagePlus } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Empty, Pending } from "@/ui/states";
import { CountingNow } from "./counting-now";
import { ItemFilters } from "./item-filters";
import { ItemDialog } from "./item-form";
import { useItems } from "./queries";
import type { StockSearch } from "./search";
import type { Item } from "./types";
import { kindName, stateName, stateTone } from "./words";

const COLUMNS = "lg:grid-cols-[minmax(0,1fr)_7rem_7rem_7rem_7rem_10rem]";

/** Every item with what is there, promised and available. Only the visible rows exist. */
export function ItemsPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const search = useSearch({ strict: false }) as StockSearch;
  const items = useItems({
    q: search.q,
    kind: search.kind,
    place: search.place,
    only: search.only,
    inactive: search.inactive,
  });
  const [adding, setAdding] = useState(false);
  const total = items.data?.total ?? 0;
  return (
    <section aria-label={t`Items`} className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end gap-2">
        <ItemFilters search={search} />
        {may(who, "inventory.manage") && (
          <Button className="ml-auto" onClick={() => setAdding(true)}>
            <PackagePlus aria-hidden className="size-5" /> <Trans>New item</Trans>
          </Button>
        )}
      </div>
      <CountingNow />
      <Pending of={items} />
      {items.data && (
        <>
          <p role="status" className="text-sm text-soft">
            <Trans>{formatNumber(total)} items</Trans>
          </p>
          {items.data.items.length === 0 ? (
            <Empty>
              <Trans>No such items.</Trans>
            </Empty>
          ) : (
            <ItemList
              items={items.data.items}
              onEnd={() => {
                if (items.hasNextPage && !items.isFetchingNextPage) void items.fetchNextPage();
              }}
            />
          )}
        </>
      )}
      {adding && <ItemDialog onClose={() => setAdding(false)} />}
    </section>
  );
}

const scroller = () => document.getElementById("main");

/** Calls `onEnd` when its last row comes into sight. */
function ItemList({ items, onEnd }: { items: Item[]; onEnd: () => void }) {
  const { t } = useLingui();
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const main = scroller(); // what stands above the list may grow: looked at after every change
    if (main && list.current)
      setTop(list.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
  });
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: scroller,
    estimateSize: () => 76,
    getItemKey: (index) => items[index]?.sku ?? index,
    scrollMargin: top,
    overscan: 8,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked when the last row is another one
  useEffect(() => {
    if (last >= items.length - 1) onEnd();
  }, [last, items.length]);
  return (
    <div className="rounded-2xl border border-line bg-panel">
      <div aria-hidden className={cx("hidden gap-3 border-b border-line px-4 py-2 text-sm text-soft lg:grid", COLUMNS)}>
        <span>{t`Item`}</span>
        {[t`On hand`, t`Promised`, t`Available`, t`Minimum`].map((label) => (
          <span key={label} className="text-right">
            {label}
          </span>
        ))}
        <span />
      </div>
      <ul ref={list} className="relative" style={{ height: virtual.getTotalSize() }}>
        {rows.map((row) => {
          const item = items[row.index];
          if (!item) return null;
          return (
            <li
              key={row.key}
              data-index={row.index}
              ref={virtual.measureElement}
              className={cx("absolute inset-x-0 top-0", row.index > 0 && "border-t border-line")}
              style={{ transform: `translateY(${row.start - top}px)` }}
            >
              <ItemRow item={item} />
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function ItemRow({ item }: { item: Item }) {
  const { t } = useLingui();
  const figures: [string, number, string?][] = [
    [t`On hand`, item.on_hand],
    [t`Promised`, item.reserved],
    [t`Available`, item.ats, "font-semibold"],
    [t`Minimum`, item.min_stock],
  ];
  return (
    <Link
      to="/stock/item"
      search={{ sku: item.sku }}
      className={cx(
        "grid min-h-16 grid-cols-4 items-center gap-x-3 gap-y-1 px-4 py-2 hover:bg-sunk",
        COLUMNS,
        !item.is_active && "text-soft",
      )}
    >
      <span className="col-span-3 min-w-0 lg:col-span-1">
        <span className="block truncate font-semibold">{item.title}</span>
        <span className="block truncate text-sm text-soft">
          <span className="font-mono">{item.sku}</span> · {kindName(item.kind)} · {item.uom}
        </span>
      </span>
      <span className="text-right lg:order-last">
        {item.is_active ? (
          <Badge tone={stateTone(item.state)}>{stateName(item.state)}</Badge>
        ) : (
          <Badge>{t`Not in use`}</Badge>
        )}
      </span>
      {figures.map(([label, value, look]) => (
        <span key={label} className="text-left lg:text-right">
          <span className="block text-xs text-soft lg:sr-only">{label}</span>
          <span className={cx("tabular-nums", look)}>{item.is_stocked ? formatNumber(value) : "–"}</span>
        </span>
      ))}
    </Link>
  );
}
