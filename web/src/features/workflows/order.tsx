import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import { Image, MapPin, Truck, User } from "lucide-react";
import { useStaffName, useStoreName, useZone } from "@/features/core/queries";
import { deliveryName } from "@/lib/labels";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay } from "@/lib/time";
import type { Order } from "@/lib/types";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { AttentionBadges, DueBadge, PriorityBadge, StageBadge, WorkBadge } from "./badges";
import { NotSent, StepButton } from "./card";
import { ChangeCard, ReviewCard } from "./order-attention";
import { Blockers, Timeline } from "./order-history";
import { OrderTools } from "./order-tools";
import { useOrder, useSiblings } from "./queries";

export function OrderPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = useOrder(id);
  return (
    <div className="mx-auto flex w-full max-w-6xl flex-col gap-4 p-3 pb-28 sm:p-5 sm:pb-28">
      <Pending of={query} />
      {query.data && <OrderBody order={query.data} />}
    </div>
  );
}

function OrderBody({ order }: { order: Order }) {
  const { who } = useStore(session);
  const zone = useZone(order.store);
  return (
    <>
      <header className="flex flex-wrap items-center gap-2">
        <h1 className="mr-2 font-mono text-2xl font-bold">{order.id}</h1>
        <StageBadge stage={order.stage} />
        <PriorityBadge priority={order.priority} />
        <DueBadge order={order} zone={zone} />
        <WorkBadge order={order} />
        <AttentionBadges order={order} />
        <NotSent id={order.id} />
      </header>
      <ChangeCard order={order} />
      <ReviewCard order={order} />
      {/* One column on a phone: what it is, what to do, then what happened. */}
      <div className="flex flex-col gap-4 md:grid md:grid-cols-[1fr_20rem] lg:grid-cols-[1fr_22rem]">
        <div className="flex min-w-0 flex-col gap-4 max-md:contents">
          <Facts order={order} />
          <div className="flex flex-col gap-4 max-md:order-2">
            <Blockers order={order} />
            <Timeline id={order.id} zone={zone} />
          </div>
        </div>
        <aside className="flex flex-col gap-4 max-md:order-1 md:sticky md:top-4 md:self-start">
          {may(who, "orders.complete_stage") && <StepButton order={order} wide />}
          <OrderTools order={order} />
          <Siblings order={order} />
          <Panel title={<Trans>Photos</Trans>}>
            <p className="flex items-center gap-2 text-soft">
              <Image aria-hidden className="shrink-0" /> <Trans>Photos are not part of this version.</Trans>
            </p>
          </Panel>
        </aside>
      </div>
    </>
  );
}

function Facts({ order }: { order: Order }) {
  const { t } = useLingui();
  const nameOf = useStaffName();
  const storeName = useStoreName();
  const small: [string, string | null][] = [
    [t`Customer`, order.customer_name],
    [t`Due`, order.due_date ? [formatDay(order.due_date), order.due_time].filter(Boolean).join(", ") : null],
    [t`Store`, storeName(order.store)],
    [t`Order number`, order.order_number],
    [t`Notes`, order.notes],
  ];
  return (
    <Panel>
      <p className="text-3xl leading-tight font-bold">
        {order.item_qty > 1 && `${order.item_qty} × `}
        {[order.size, order.flavour].filter(Boolean).join(" · ") || order.product_title}
      </p>
      <p className="mt-1 text-xl text-soft">{order.product_title}</p>
      {order.cake_writing && (
        <p className="mt-3 rounded-xl bg-accent-bg p-3 text-2xl text-accent">
          <span className="sr-only">{t`Writing on the cake`}: </span>“{order.cake_writing}”
        </p>
      )}
      <Accessories order={order} />
      <dl className="mt-4 grid gap-x-6 gap-y-3 sm:grid-cols-2">
        {small.map(
          ([label, value]) =>
            value && (
              <div key={label}>
                <dt className="text-sm text-soft">{label}</dt>
                <dd className="whitespace-pre-line">{value}</dd>
              </div>
            ),
        )}
      </dl>
      <ul className="mt-4 flex flex-wrap gap-x-5 gap-y-2 border-t border-line pt-3 text-soft [&_svg]:size-5">
        <li className="flex items-center gap-1.5">
          <User aria-hidden /> {nameOf(order.assignee_id) ?? t`Nobody yet`}
        </li>
        <li className="flex items-center gap-1.5">
          <MapPin aria-hidden /> {order.storage ?? t`No storage place`}
        </li>
        {order.delivery_method && (
          <li className="flex items-center gap-1.5">
            <Truck aria-hidden /> {deliveryName(order.delivery_method)}
          </li>
        )}
      </ul>
    </Panel>
  );
}

function Accessories({ order }: { order: Order }) {
  const list = order.accessories as { title?: string; quantity?: number }[];
  if (!Array.isArray(list) || list.length === 0) return null;
  return (
    <div className="mt-3">
      <h2 className="text-sm text-soft">
        <Trans>Goes with it</Trans>
      </h2>
      <ul className="mt-1 flex flex-wrap gap-2">
        {list.map((one) => (
          <li key={one.title} className="rounded-lg bg-sunk px-3 py-1.5">
            <b>{one.quantity ?? 1}</b> × {one.title}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Siblings({ order }: { order: Order }) {
  const { data } = useSiblings(order);
  if (!data?.length) return null;
  return (
    <Panel title={<Trans>Same customer order</Trans>}>
      <ul className="flex flex-col gap-1">
        {data.map((one) => (
          <li key={one.id}>
            <Link
              to="/orders/$id"
              params={{ id: one.id }}
              className="flex min-h-12 items-center gap-2 rounded-lg px-2 hover:bg-sunk"
            >
              <span className="font-mono font-semibold">{one.id}</span>
              <span className="ml-auto">
                <StageBadge stage={one.stage} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
