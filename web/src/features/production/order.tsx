import { Trans, useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { dueInWords, formatNumber, plantDay } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { Links } from "./board-entry";
import { LabelButton } from "./label";
import { OrderQuality } from "./lot-facts";
import { OrderActions } from "./order-actions";
import { OrderLots, OrderParts, ProductionHistory } from "./order-facts";
import { StepFlow } from "./order-flow";
import { useOrder } from "./plan-queries";
import type { OrderDetail } from "./plan-types";
import { holdUps, orderState, orderTone, whyWords } from "./plan-words";
import { useSiteZone } from "./queries";
import { priorityName, priorityTone } from "./words";

/** One production order: its steps as a flow, what it lost and makes again, its parts, lots and history. */
export function ProductionOrderPage() {
  const { code } = useParams({ strict: false }) as { code: string };
  const order = useOrder(code);
  return (
    <Page
      title={<span className="font-mono">{code}</span>}
      tools={
        <>
          {order.data && <OrderActions detail={order.data} />}
          {order.data && <LabelButton code={code} label={order.data.label} />}
          <LinkButton to="/production">
            <Trans>All orders</Trans>
          </LinkButton>
        </>
      }
    >
      <Pending of={order} />
      {order.data && <Body detail={order.data} />}
    </Page>
  );
}

function Body({ detail }: { detail: OrderDetail }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const { order_row: order, progress } = detail;
  const why = holdUps(detail.why);
  const due = dueInWords(order.due_date, plantDay(zone));
  const isOpen = order.status !== "CLOSED" && order.status !== "CANCELLED";
  const [good, planned, lost] = [progress?.executed_good, order.quantity, progress?.lost].map((value) =>
    formatNumber(Number(value ?? 0)),
  );
  return (
    <>
      <Panel>
        <div className="flex flex-wrap items-center gap-2">
          <span className="mr-auto text-xl">{detail.product_title ?? order.product_sku}</span>
          {order.priority !== "normal" && (
            <Badge tone={priorityTone(order.priority)}>{priorityName(order.priority)}</Badge>
          )}
          <Badge tone={isOpen && due.level === "late" ? "bad" : "plain"}>{due.text}</Badge>
          <Badge tone={orderTone(order.status)}>{orderState(order.status)}</Badge>
        </div>
        <p className="mt-2 text-2xl font-bold">
          <Trans>
            {good} of {planned} good
          </Trans>
          {Number(progress?.lost ?? 0) > 0 && (
            <span className="ml-3 text-base font-normal text-bad">
              <Trans>{lost} lost on the way</Trans>
            </span>
          )}
        </p>
        <p className="text-sm text-soft">
          {[
            detail.routing_version !== null && t`Routing, version ${detail.routing_version}`,
            ...detail.refs.map((ref) => `${ref.system} ${ref.external_id}`),
            progress?.close_reason && t`Ended early: ${progress.close_reason}`,
            order.notes,
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
        {isOpen && why.length > 0 && (
          <ul aria-label={t`What holds it up`} className="mt-3 rounded-lg bg-warn-bg p-3 text-warn">
            {why.map((one) => (
              <li key={`${one.code} ${one.sequence ?? ""}`}>{whyWords(one)}</li>
            ))}
          </ul>
        )}
        <div className="mt-3 empty:hidden">
          <Links row={detail} />
        </div>
      </Panel>
      {detail.steps.length > 0 && <StepFlow steps={detail.steps} />}
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <OrderParts parts={detail.parts} />
          <OrderLots lots={detail.lots} order={order.code} />
          <OrderQuality code={order.code} />
        </div>
        <ProductionHistory events={detail.events} />
      </div>
    </>
  );
}
