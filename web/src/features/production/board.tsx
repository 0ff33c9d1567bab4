import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { NewOrderDialog } from "@/features/print-farm/order-forms";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { BoardEntry } from "./board-entry";
import { ProductionFrame } from "./frame";
import { useBoard } from "./plan-queries";
import { orderState } from "./plan-words";
import { useFilter, useSite } from "./queries";
import { ORDER_STATES, type ProductionSearch } from "./search";

/** The planner's board: every order by urgency and due date, what can run now, and why the rest does not. */
export function BoardPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const site = useSite();
  const [filter] = useFilter();
  const board = useBoard(site, filter);
  const [isNew, setNew] = useState(false);
  return (
    <ProductionFrame current="orders">
      <div className="flex flex-wrap items-end gap-2">
        <BoardFilters />
        {may(who, "production.plan") && (
          <Button look="primary" className="ml-auto" onClick={() => setNew(true)}>
            <Plus aria-hidden className="size-5" /> <Trans>New production order</Trans>
          </Button>
        )}
      </div>
      <Pending of={board} />
      {board.data && (
        <p role="status" className="text-sm text-soft">
          <Plural value={board.data.total} one="# order" other="# orders" />
        </p>
      )}
      {board.data?.orders.length === 0 && <Empty>{t`No such orders.`}</Empty>}
      <ol aria-label={t`Production orders`} className="flex flex-col gap-3">
        {board.data?.orders.map((row) => (
          <li key={row.order_row.code}>
            <BoardEntry row={row} />
          </li>
        ))}
      </ol>
      {board.hasNextPage && (
        <Button className="self-center" disabled={board.isFetchingNextPage} onClick={() => void board.fetchNextPage()}>
          <Trans>Show more</Trans>
        </Button>
      )}
      {isNew && <NewOrderDialog onClose={() => setNew(false)} />}
    </ProductionFrame>
  );
}

function BoardFilters() {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const sorts = {
    priority: t`Most urgent first`,
    due: t`Earliest due first`,
    code: t`By number`,
    newest: t`Newest first`,
  };
  return (
    <search className="flex min-w-0 flex-1 flex-wrap gap-2">
      <SearchBox
        label={t`Search`}
        placeholder={t`Number, product …`}
        value={filter.q ?? ""}
        onChange={(q) => set({ q: q || undefined })}
      />
      <Select
        quiet
        label={t`State`}
        value={filter.status ?? ""}
        onChange={(event) => set({ status: (event.target.value || undefined) as ProductionSearch["status"] })}
      >
        <option value="">{t`All open orders`}</option>
        {ORDER_STATES.map((one) => (
          <option key={one} value={one}>
            {orderState(one)}
          </option>
        ))}
      </Select>
      <Select
        quiet
        label={t`Can it run?`}
        value={filter.run ?? ""}
        onChange={(event) => set({ run: (event.target.value || undefined) as ProductionSearch["run"] })}
      >
        <option value="">{t`Running and waiting`}</option>
        <option value="yes">{t`Can run now`}</option>
        <option value="no">{t`Waits`}</option>
      </Select>
      <Select
        quiet
        label={t`Kind`}
        value={filter.kind ?? ""}
        onChange={(event) => set({ kind: (event.target.value || undefined) as ProductionSearch["kind"] })}
      >
        <option value="">{t`Every kind`}</option>
        <option value="PRODUCTION">{t`Asked for`}</option>
        <option value="REPLENISHMENT">{t`Made again, for the shelf`}</option>
      </Select>
      <Select
        quiet
        label={t`Sort`}
        value={filter.sort ?? "priority"}
        onChange={(event) => set({ sort: event.target.value as ProductionSearch["sort"] })}
      >
        {Object.entries(sorts).map(([sort, name]) => (
          <option key={sort} value={sort}>
            {name}
          </option>
        ))}
      </Select>
    </search>
  );
}
