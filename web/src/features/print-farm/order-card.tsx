import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleDashed, CircleQuestionMark, Hourglass, Pencil, Truck } from "lucide-react";
import { useState } from "react";
import { useStoreName } from "@/features/core/queries";
import { DueBadge } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { farm } from "./act";
import { EditOrderDialog } from "./order-forms";
import { useFarmZone } from "./queries";
import { type Fulfilment, type FulfilmentLine, type OrderPrint, PRIORITIES, type ProductionChange } from "./types";
import { fulfilmentName, fulfilmentTone, groupName, groupTone } from "./words";

const ICONS = { fulfilled: CircleCheck, partial: CircleDashed, unfulfilled: Hourglass };

/** One order: has it its parts, what is missing, and the prints for that. */
export function OrderCard(props: { order: Fulfilment; prints: OrderPrint[]; onExplain: () => void }) {
  const { t } = useLingui();
  const { order, prints } = props;
  const storeName = useStoreName();
  const zone = useFarmZone();
  const Icon = ICONS[order.fulfillment_status];
  return (
    <li>
      <article
        aria-label={order.code}
        data-state={order.fulfillment_status}
        className="flex h-full flex-col gap-3 rounded-2xl border border-line bg-panel p-4"
      >
        <header className="flex flex-wrap items-center gap-2">
          <h2 className="mr-auto min-w-0">
            <span className="block text-lg font-semibold">{order.title ?? order.code}</span>
            <span className="text-sm font-normal text-soft">
              {order.code}
              {order.store && ` · ${storeName(order.store)}`}
            </span>
          </h2>
          <Badge tone={fulfilmentTone(order.fulfillment_status)} icon={<Icon aria-hidden />}>
            {fulfilmentName(order.fulfillment_status)}
          </Badge>
          {order.due_date && <DueBadge order={order} zone={zone} />}
        </header>
        <ul className="flex flex-col gap-2">
          {order.lines?.map((line) => (
            <Line key={line.sku} line={line} print={prints.find((one) => one.sku === line.sku)} />
          ))}
        </ul>
        <footer className="mt-auto flex flex-wrap gap-2">
          <Button onClick={props.onExplain} aria-label={t`Why? ${order.code}`}>
            <CircleQuestionMark aria-hidden className="size-5" /> <Trans>Why?</Trans>
          </Button>
          {order.kind === "order" ? (
            <Link
              to="/orders/$id"
              params={{ id: order.code }}
              className="flex min-h-12 items-center rounded-lg px-3 underline hover:bg-sunk"
            >
              <Trans>Show the ticket</Trans>
            </Link>
          ) : (
            <OrderActions order={order} />
          )}
          <span className="ml-auto self-center">
            <PriorityChoice order={order} />
          </span>
        </footer>
      </article>
    </li>
  );
}

function Line({ line, print }: { line: FulfilmentLine; print: OrderPrint | undefined }) {
  const { t } = useLingui();
  const has = line.allocated + line.consumed;
  const share = line.needed > 0 ? Math.min(100, (100 * has) / line.needed) : 100;
  const done = has >= line.needed;
  return (
    <li>
      <p className="flex flex-wrap items-baseline gap-x-3">
        <span className="mr-auto">{line.title}</span>
        {print && (
          <span className="text-sm text-soft">
            <Trans>Prints still needed: {print.prints_required}</Trans>
          </span>
        )}
        <span className="font-semibold tabular-nums">
          {formatNumber(has)} / {formatNumber(line.needed)}
        </span>
      </p>
      <div
        role="progressbar"
        aria-label={t`${line.title}: set aside`}
        aria-valuemin={0}
        aria-valuemax={line.needed}
        aria-valuenow={has}
        className="mt-1 h-2 overflow-hidden rounded-full bg-sunk"
      >
        <div className={done ? "h-full bg-ok" : "h-full bg-accent"} style={{ width: `${share}%` }} />
      </div>
      {line.consumed > 0 && (
        <p className="text-sm text-soft">
          <Trans>Used already: {formatNumber(line.consumed)}</Trans>
        </p>
      )}
    </li>
  );
}

/** The priority of a production order, changed in two taps; tickets have theirs from their store. */
function PriorityChoice({ order }: { order: Fulfilment }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const isOurs = order.kind === "production_order" && PRIORITIES.some((one) => one === order.priority);
  if (!isOurs || !may(who, "production.plan"))
    return <Badge tone={groupTone(order.priority)}>{groupName(order.priority)}</Badge>;
  const change = (priority: string) =>
    farm<ProductionChange>(
      "update_production_order",
      { p_code: order.code, p_priority: priority } as never,
      () => t`${order.code} is ${groupName(priority)} now. Parts are promised anew.`,
    );
  return (
    <Select
      quiet
      label={t`Priority of ${order.code}`}
      value={order.priority}
      onChange={(event) => void change(event.target.value)}
    >
      {PRIORITIES.map((one) => (
        <option key={one} value={one}>
          {groupName(one)}
        </option>
      ))}
    </Select>
  );
}

function OrderActions({ order }: { order: Fulfilment }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [isEdited, setEdited] = useState(false);
  const has = order.lines?.some((line) => line.allocated > 0) ?? false;
  const isWhole = order.fulfillment_status === "fulfilled";
  const ship = () =>
    farm<ProductionChange>(
      "ship_production_order",
      { p_code: order.code, p_allow_partial: !isWhole } as never,
      ({ order_row }) =>
        order_row.status === "CLOSED" ? t`${order.code} is shipped.` : t`${order.code}: what was there is shipped.`,
    );
  return (
    <>
      {may(who, "production.ship") && has && (
        <Button look={isWhole ? "primary" : "plain"} onClick={() => void ship()}>
          <Truck aria-hidden className="size-5" /> {isWhole ? t`Ship` : t`Ship what is there`}
        </Button>
      )}
      {may(who, "production.plan") && (
        <Button onClick={() => setEdited(true)}>
          <Pencil aria-hidden className="size-5" /> <Trans>Change</Trans>
        </Button>
      )}
      {isEdited && <EditOrderDialog code={order.code} onClose={() => setEdited(false)} />}
    </>
  );
}
