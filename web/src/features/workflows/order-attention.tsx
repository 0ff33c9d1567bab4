import { Trans, useLingui } from "@lingui/react/macro";
import { CircleAlert, PenLine } from "lucide-react";
import { deliveryName, fieldName, priorityName, reviewName } from "@/lib/labels";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay } from "@/lib/time";
import type { Order } from "@/lib/types";
import { Button } from "@/ui/button";
import { useOrderCommands } from "./actions";

interface Change {
  reason?: string;
  changes?: Record<string, unknown>;
}

const inWords: Record<string, (value: string) => string> = {
  due_date: formatDay,
  delivery_method: deliveryName,
  priority: priorityName,
};

/** A field's value as people say it; a list is that of the accessories. */
function shown(field: string, value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (!Array.isArray(value)) return inWords[field]?.(String(value)) ?? String(value);
  const list = value as { title?: string; quantity?: number }[];
  return list.map((one) => `${one.quantity ?? 1} × ${one.title}`).join(", ") || "–";
}

/** The customer changed the order after work began: what it was, what it shall be, and the acknowledgement. */
export function ChangeCard({ order }: { order: Order }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { act } = useOrderCommands();
  if (!order.pending_change) return null;
  const change = order.pending_change as Change;
  const reasons: Record<string, string> = {
    cancelled: t`The customer cancelled it.`,
    removed: t`It was taken out of the customer's order.`,
  };
  const now = order as unknown as Record<string, unknown>;
  return (
    <section className="rounded-2xl border-2 border-bad bg-bad-bg p-4 text-bad" aria-labelledby="change-title">
      <h2 id="change-title" className="flex items-center gap-2 text-lg font-bold">
        <PenLine aria-hidden /> <Trans>The order was changed after work began</Trans>
      </h2>
      {change.reason && reasons[change.reason] && <p className="mt-1 text-lg">{reasons[change.reason]}</p>}
      <dl className="mt-3 grid gap-2 sm:grid-cols-2">
        {Object.entries(change.changes ?? {}).map(([field, value]) => (
          <div key={field} className="rounded-lg bg-panel p-3 text-ink">
            <dt className="text-sm text-soft">{fieldName(field)}</dt>
            <dd>
              <s className="text-soft">{shown(field, now[field])}</s> → <b>{shown(field, value)}</b>
            </dd>
          </div>
        ))}
      </dl>
      {may(who, "orders.acknowledge") && (
        <Button
          look="primary"
          className="mt-3"
          onClick={() => void act("acknowledge_order_change", { p_order_id: order.id }, order.id)}
        >
          <Trans>I have read it</Trans>
        </Button>
      )}
    </section>
  );
}

/** Something was missing or unclear when the order arrived. */
export function ReviewCard({ order }: { order: Order }) {
  const { who } = useStore(session);
  const { act } = useOrderCommands();
  if (order.needs_review.length === 0) return null;
  return (
    <section className="rounded-2xl border-2 border-warn bg-warn-bg p-4 text-warn" aria-labelledby="review-title">
      <h2 id="review-title" className="flex items-center gap-2 text-lg font-bold">
        <CircleAlert aria-hidden /> <Trans>Somebody must look at this order</Trans>
      </h2>
      <ul className="mt-2 list-disc pl-6 text-ink">
        {order.needs_review.map((reason) => (
          <li key={reason}>{reviewName(reason)}</li>
        ))}
      </ul>
      {may(who, "orders.edit") && (
        <Button className="mt-3" onClick={() => void act("mark_reviewed", { p_order_id: order.id }, order.id)}>
          <Trans>Mark as reviewed</Trans>
        </Button>
      )}
    </section>
  );
}
