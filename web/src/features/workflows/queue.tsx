import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { usePlant, useStaff, useStaffName } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { STAGES } from "@/lib/types";
import { LinkButton } from "@/ui/button";
import { Select } from "@/ui/field";
import { Page } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { StageBadge } from "./badges";
import { OrderCard } from "./card";
import { useQueue } from "./queries";
import type { BoardSearch } from "./search";

/** What one person has to do, stage by stage, in the order in which it should be done. */
export function QueuePage() {
  const { t } = useLingui();
  const { person } = useSearch({ strict: false }) as BoardSearch;
  const { who } = useStore(session);
  const navigate = useNavigate();
  const staff = useStaff();
  const nameOf = useStaffName();
  const { data: plant } = usePlant();
  const chosen = person ?? who?.user_id;
  const query = useQueue({ person: chosen }, Boolean(chosen));
  const groups = useMemo(
    () =>
      STAGES.map((stage) => ({ stage, orders: (query.data?.orders ?? []).filter((order) => order.stage === stage) })),
    [query.data],
  );
  const zoneOf = (store: string) => {
    const site = plant?.stores.find((one) => one.code === store)?.site;
    return plant?.sites.find((one) => one.code === site)?.time_zone ?? "UTC";
  };
  const tools = (
    <div className="w-64">
      <Select
        quiet
        label={t`Person`}
        value={chosen ?? ""}
        onChange={(event) => void navigate({ to: "/queue", search: { person: event.target.value } as never })}
      >
        {(staff.data ?? [])
          .filter((one) => one.is_active)
          .map((one) => (
            <option key={one.user_id} value={one.user_id}>
              {one.user_id === who?.user_id ? t`Me (${one.full_name})` : one.full_name}
            </option>
          ))}
      </Select>
    </div>
  );
  return (
    <Page title={chosen === who?.user_id ? t`My work` : t`Work of one person`} tools={tools}>
      <Pending of={query} />
      {query.data?.orders.length === 0 && (
        <Empty>
          <Trans>Nothing assigned. Take a ticket from the board.</Trans>
          <span className="mt-3 flex justify-center">
            <LinkButton to="/board">
              <Trans>Go to the board</Trans>
            </LinkButton>
          </span>
        </Empty>
      )}
      {groups
        .filter((group) => group.orders.length > 0)
        .map(({ stage, orders }) => (
          <section key={stage} className="flex flex-col gap-2">
            <h2 className="text-lg font-semibold">
              <StageBadge stage={stage} /> {orders.length}
            </h2>
            <div className="grid gap-2 sm:grid-cols-2 xl:grid-cols-3">
              {orders.map((order) => (
                <OrderCard
                  key={order.id}
                  order={order}
                  zone={zoneOf(order.store)}
                  assignee={nameOf(order.assignee_id)}
                  canWork={may(who, "orders.complete_stage")}
                />
              ))}
            </div>
          </section>
        ))}
    </Page>
  );
}
