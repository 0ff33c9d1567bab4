import { useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Check, Clock, LoaderCircle, MapPin, Play, User } from "lucide-react";
import { memo, useState } from "react";
import { outbox } from "@/lib/commands";
import type { RpcName } from "@/lib/rpc";
import { createStore, useStore } from "@/lib/store";
import { dueInWords, plantDay } from "@/lib/time";
import type { Order } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { useOrderCommands } from "./actions";
import { AttentionBadges, DueBadge, PriorityBadge, WorkBadge } from "./badges";
import { nextStep } from "./stage";

const EDGES = { late: "border-l-bad", today: "border-l-warn", soon: "border-l-info", later: "border-l-line" };

interface Props {
  order: Order;
  zone: string;
  assignee: string | null;
  canWork: boolean;
  /** Shows a tick box when given. */
  onPick?: ((id: string, picked: boolean) => void) | undefined;
  picked?: boolean;
}

export const OrderCard = memo(function OrderCard({ order, zone, assignee, canWork, onPick, picked }: Props) {
  const { t } = useLingui();
  const due = dueInWords(order.due_date, plantDay(zone));
  return (
    <article
      aria-label={order.id}
      className={cx(
        "flex h-full flex-col rounded-xl border border-l-8 border-line bg-panel p-3",
        EDGES[due.level],
        picked && "ring-3 ring-accent",
      )}
    >
      <div className="flex items-start gap-2">
        <Link
          to="/orders/$id"
          params={{ id: order.id }}
          className="-m-1 min-h-12 min-w-0 flex-1 rounded p-1 hover:underline"
        >
          <span className="block font-mono text-sm font-semibold text-soft">{order.id}</span>
          <span className="block text-lg leading-snug font-semibold">
            {order.item_qty > 1 && `${order.item_qty} × `}
            {[order.size, order.flavour].filter(Boolean).join(" · ") || order.product_title}
          </span>
        </Link>
        {onPick && (
          <label className="-m-2 flex size-12 shrink-0 items-center justify-center">
            <span className="sr-only">{t`Select ${order.id}`}</span>
            <input
              type="checkbox"
              className="size-6 accent-(--accent)"
              checked={picked ?? false}
              onChange={(event) => onPick(order.id, event.target.checked)}
            />
          </label>
        )}
      </div>
      <p className="text-soft">
        {order.product_title}
        {order.cake_writing && <span className="text-ink"> “{order.cake_writing}”</span>}
      </p>
      <div className="mt-2 flex flex-wrap gap-1.5">
        <AttentionBadges order={order} />
        <DueBadge order={order} zone={zone} />
        {order.priority !== "Medium" && <PriorityBadge priority={order.priority} />}
        <WorkBadge order={order} />
        {order.storage && <Badge icon={<MapPin aria-hidden />}>{order.storage}</Badge>}
        <NotSent id={order.id} />
      </div>
      <div className="mt-auto flex items-center gap-2 pt-2">
        <span className="flex min-w-0 flex-1 items-center gap-1 text-sm text-soft">
          <User aria-hidden className="size-4 shrink-0" />
          <span className="truncate">{assignee ?? t`Nobody yet`}</span>
        </span>
        {canWork && <StepButton order={order} />}
      </div>
    </article>
  );
});

/** Honest about commands that have not reached the server. */
export function NotSent({ id }: { id: string }) {
  const { t } = useLingui();
  const mine = useStore(outbox.entries).filter((entry) => entry.entity === id);
  if (mine.length === 0) return null;
  const isLost = mine.every((entry) => entry.state === "unanswered");
  return (
    <Badge tone="warn" icon={<Clock aria-hidden />}>
      {isLost ? t`No answer yet` : t`Not sent yet`}
    </Badge>
  );
}

const REST_MS = 500;
/** Until when a tap is the second half of a double tap, wherever it lands: the next step, or the next ticket, has moved there. */
const resting = createStore(false);
let awake: ReturnType<typeof setTimeout> | undefined;
function rest(): void {
  resting.set(true);
  clearTimeout(awake);
  awake = setTimeout(() => resting.set(false), REST_MS);
}

/** Start or done, whichever comes next. One at a time, and a glove that taps twice has tapped once. */
export function StepButton({ order, wide = false }: { order: Order; wide?: boolean }) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  const [busy, setBusy] = useState(false);
  const off = useStore(resting) || busy;
  const step = nextStep(order);
  if (!step) return null;
  const Icon = busy ? LoaderCircle : step.kind === "start" ? Play : Check;
  async function press(rpc: RpcName) {
    if (off) return;
    rest();
    setBusy(true);
    await act(rpc, { p_order_id: order.id } as never, order.id);
    setBusy(false);
  }
  return (
    <Button
      look={step.kind === "complete" || wide ? "primary" : "plain"}
      className={cx(wide && "min-h-16 text-lg")}
      aria-disabled={off} // not disabled: that would take the focus away
      aria-label={step.kind === "start" ? t`Start ${order.id}` : t`Done ${order.id}`}
      onClick={() => void press(step.rpc)}
    >
      <Icon aria-hidden className={cx("size-5", busy && "animate-spin")} />
      {step.kind === "start" ? t`Start` : t`Done`}
    </Button>
  );
}
