import { Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { usePlant } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Empty, Pending } from "@/ui/states";
import { ExplanationDialog } from "./explanation";
import { OrderCard } from "./order-card";
import { NewOrderDialog } from "./order-forms";
import { useFilter, useFulfilment, useOrderPrints, usePartNames } from "./queries";
import type { FarmSearch } from "./search";

/** Every open order that needs parts, in the order in which they get them. */
export function OrdersPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, set] = useFilter();
  const orders = useFulfilment(filter);
  const prints = useOrderPrints((orders.data ?? []).slice(0, 200).map((order) => order.code));
  const [isNew, setNew] = useState(false);
  return (
    <>
      <div className="flex flex-wrap items-end gap-2">
        <OrderFilters filter={filter} set={set} />
        {may(who, "production.plan") && (
          <Button look="primary" className="ml-auto" onClick={() => setNew(true)}>
            <Plus aria-hidden className="size-5" /> <Trans>New production order</Trans>
          </Button>
        )}
      </div>
      <Pending of={orders} />
      {orders.data?.length === 0 && <Empty>{t`No such orders.`}</Empty>}
      <ol aria-label={t`Orders that need parts`} className="grid gap-3 xl:grid-cols-2">
        {orders.data?.map((order) => (
          <OrderCard
            key={order.code}
            order={order}
            prints={prints.data?.filter((one) => one.code === order.code) ?? []}
            onExplain={() => set({ code: order.code })}
          />
        ))}
      </ol>
      {orders.hasNextPage && (
        <Button onClick={() => void orders.fetchNextPage()} disabled={orders.isFetchingNextPage}>
          <Trans>Show more</Trans>
        </Button>
      )}
      {isNew && <NewOrderDialog onClose={() => setNew(false)} />}
      {filter.code !== undefined && <ExplanationDialog code={filter.code} onClose={() => set({ code: undefined })} />}
    </>
  );
}

function OrderFilters(props: { filter: FarmSearch; set: (change: FarmSearch) => void }) {
  const { t } = useLingui();
  const { filter, set } = props;
  const plant = usePlant();
  const parts = usePartNames();
  return (
    <search className="flex flex-wrap gap-2">
      <Select
        quiet
        label={t`State`}
        value={filter.status ?? ""}
        onChange={(event) => set({ status: (event.target.value || undefined) as FarmSearch["status"] })}
      >
        <option value="">{t`All open orders`}</option>
        <option value="waiting">{t`Wait for parts`}</option>
        <option value="fulfilled">{t`Have all parts`}</option>
      </Select>
      <Select
        quiet
        label={t`Part`}
        value={filter.sku ?? ""}
        onChange={(event) => set({ sku: event.target.value || undefined })}
      >
        <option value="">{t`All parts`}</option>
        {parts.data?.map((one) => (
          <option key={one.sku} value={one.sku}>
            {one.inventory_items.title}
          </option>
        ))}
      </Select>
      {(plant.data?.stores.length ?? 0) > 1 && (
        <Select
          quiet
          label={t`Store`}
          value={filter.store ?? ""}
          onChange={(event) => set({ store: event.target.value || undefined })}
        >
          <option value="">{t`All stores`}</option>
          {plant.data?.stores.map((one) => (
            <option key={one.code} value={one.code}>
              {one.name}
            </option>
          ))}
        </Select>
      )}
    </search>
  );
}
