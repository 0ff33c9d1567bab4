import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { EditOrderDialog } from "@/features/print-farm/order-forms";
import { PRIORITIES } from "@/features/print-farm/types";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { produce } from "./act";
import type { BoardRow, OrderDetail } from "./plan-types";
import type { OrderRow, RoutedChange } from "./types";
import { noticeText, priorityName } from "./words";

/** What is made first. */
export function PrioritySelect({ order }: { order: OrderRow }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  if (!may(who, "production.plan")) return null;
  const change = (p_priority: string) =>
    produce("change_priority", { p_code: order.code, p_priority }, () => t`${order.code}: ${priorityName(p_priority)}`);
  return (
    <Select
      quiet
      label={t`Priority of ${order.code}`}
      value={order.priority}
      onChange={(event) => void change(event.target.value)}
    >
      {PRIORITIES.map((one) => (
        <option key={one} value={one}>
          {priorityName(one)}
        </option>
      ))}
    </Select>
  );
}

/** To the floor, as far as parts allow; again when parts came. */
export function ReleaseButton({ row }: { row: Pick<BoardRow, "order_row" | "progress" | "why"> }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { code } = row.order_row;
  const isNew = row.progress === null;
  const waits = Array.isArray(row.progress?.waits_for) && row.progress.waits_for.length > 0;
  const hasNoWay = row.why.some((one) => one.code === "production.no_routing");
  if (!may(who, "production.plan") || hasNoWay || (!isNew && !waits)) return null;
  const release = () =>
    produce<RoutedChange>("release_order", { p_code: code }, ({ changed, notices }) =>
      [changed ? t`${code} is released.` : t`Nothing more can be released now.`, noticeText(notices)]
        .filter(Boolean)
        .join(" "),
    );
  return (
    <Button
      look={isNew ? "primary" : "plain"}
      aria-label={isNew ? t`Release ${code}` : t`Release the rest of ${code}`}
      onClick={() => void release()}
    >
      {isNew ? <Trans>Release</Trans> : <Trans>Release the rest</Trans>}
    </Button>
  );
}

/** Change, release, end early, go on. */
export function OrderActions({ detail }: { detail: OrderDetail }) {
  const { who } = useStore(session);
  const [open, setOpen] = useState<"edit" | "close" | "reopen" | null>(null);
  const { order_row: order, progress } = detail;
  const isOpen = order.status !== "CLOSED" && order.status !== "CANCELLED";
  const close = () => setOpen(null);
  if (!may(who, "production.plan")) return null;
  return (
    <div className="flex flex-wrap gap-2">
      {isOpen && <ReleaseButton row={detail} />}
      {isOpen && <PrioritySelect order={order} />}
      {isOpen && (
        <Button onClick={() => setOpen("edit")}>
          <Trans>Change</Trans>
        </Button>
      )}
      {isOpen && progress && (
        <Button look="danger" onClick={() => setOpen("close")}>
          <Trans>End it early</Trans>
        </Button>
      )}
      {order.status === "CLOSED" && progress && (
        <Button onClick={() => setOpen("reopen")}>
          <Trans>Open it again</Trans>
        </Button>
      )}
      {open === "edit" && <EditOrderDialog code={order.code} onClose={close} />}
      {(open === "close" || open === "reopen") && <EndDialog detail={detail} what={open} onClose={close} />}
    </div>
  );
}

function EndDialog(props: { detail: OrderDetail; what: "close" | "reopen"; onClose: () => void }) {
  const { t } = useLingui();
  const { order_row: order, progress } = props.detail;
  const closes = props.what === "close";
  const wasComplete = !closes && !progress?.close_reason;
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const p_reason = String(form.get("reason")).trim();
    const done = closes
      ? await produce("close_order", { p_code: order.code, p_reason }, () => t`${order.code} is closed.`)
      : await produce(
          "reopen_order",
          { p_code: order.code, p_reason, p_quantity: wasComplete ? Number(form.get("quantity")) : null },
          () => t`${order.code} is open again.`,
        );
    if (done) props.onClose();
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={closes ? t`End ${order.code} early` : t`Open ${order.code} again`}
      note={
        closes
          ? t`Parts that were not used are in stock again; what was to be made again for it is off.`
          : t`It goes on.`
      }
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        {wasComplete && (
          <Input
            label={t`Pieces in all`}
            name="quantity"
            type="number"
            min={0.001}
            step="any"
            required
            defaultValue={Number(order.quantity) + 1}
          />
        )}
        <Input label={t`Reason`} name="reason" maxLength={500} required autoComplete="off" />
        <Button look={closes ? "danger" : "primary"} type="submit">
          {closes ? <Trans>End it early</Trans> : <Trans>Open it again</Trans>}
        </Button>
      </form>
    </Dialog>
  );
}
