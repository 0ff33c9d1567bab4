import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, type ReactNode, useState } from "react";
import { deliveryName } from "@/lib/labels";
import type { Order } from "@/lib/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, TextArea } from "@/ui/field";
import { useOrderCommands } from "./actions";

interface SheetProps {
  order: Order;
  onClose: () => void;
}

/** A form in a dialog that closes when the server has agreed. */
function FormDialog(props: {
  title: string;
  confirm: string;
  danger?: boolean;
  onClose: () => void;
  onSave: (form: FormData) => Promise<boolean>;
  children: ReactNode;
}) {
  const [busy, setBusy] = useState(false);
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setBusy(true);
    const ok = await props.onSave(new FormData(event.currentTarget));
    setBusy(false);
    if (ok) props.onClose();
  }
  return (
    <Dialog open onClose={props.onClose} title={props.title}>
      <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
        {props.children}
        <div className="flex justify-end gap-2 sm:col-span-2">
          <Button onClick={props.onClose}>
            <Trans>Close</Trans>
          </Button>
          <Button look={props.danger ? "danger" : "primary"} type="submit" disabled={busy}>
            {props.confirm}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const textOf = (form: FormData, name: string) => String(form.get(name) ?? "").trim();

export function ReasonDialog(props: {
  title: string;
  label: string;
  confirm: string;
  onClose: () => void;
  onConfirm: (reason: string) => Promise<boolean>;
}) {
  return (
    <FormDialog {...props} danger onSave={(form) => props.onConfirm(textOf(form, "reason"))}>
      <div className="sm:col-span-2">
        <TextArea label={props.label} name="reason" required maxLength={200} />
      </div>
    </FormDialog>
  );
}

export function DueDialog({ order, onClose }: SheetProps) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  const save = (form: FormData) =>
    act(
      "set_due_date",
      { p_order_id: order.id, p_due_date: textOf(form, "due") || null, p_due_time: textOf(form, "time") || null },
      order.id,
    );
  return (
    <FormDialog title={t`When is it due?`} confirm={t`Save`} onClose={onClose} onSave={save}>
      <Input label={t`Due date`} name="due" type="date" defaultValue={order.due_date ?? ""} />
      <Input label={t`Time window`} name="time" defaultValue={order.due_time ?? ""} />
    </FormDialog>
  );
}

export function EditDialog({ order, onClose }: SheetProps) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  const [version] = useState(order.version); // what the form shows is of this version
  const save = (form: FormData) =>
    act(
      "update_order_core",
      {
        p_order_id: order.id,
        p_version: version,
        p_product_title: textOf(form, "title"),
        p_size: textOf(form, "size"),
        p_flavour: textOf(form, "flavour"),
        p_cake_writing: textOf(form, "writing"),
        p_customer_name: textOf(form, "customer"),
        p_item_qty: Number(form.get("quantity")),
        p_delivery_method: textOf(form, "delivery"),
        p_notes: textOf(form, "notes"),
      },
      order.id,
    );
  return (
    <FormDialog title={t`Edit ${order.id}`} confirm={t`Save`} onClose={onClose} onSave={save}>
      <div className="sm:col-span-2">
        <Input label={t`Product`} name="title" defaultValue={order.product_title} required />
      </div>
      <Input label={t`Size`} name="size" defaultValue={order.size ?? ""} />
      <Input label={t`Flavour`} name="flavour" defaultValue={order.flavour ?? ""} />
      <div className="sm:col-span-2">
        <Input label={t`Writing on the cake`} name="writing" defaultValue={order.cake_writing ?? ""} />
      </div>
      <Input label={t`Customer`} name="customer" autoComplete="off" defaultValue={order.customer_name ?? ""} />
      <Input label={t`Pieces`} name="quantity" type="number" min={1} defaultValue={order.item_qty} required />
      <Select label={t`Delivery`} name="delivery" defaultValue={order.delivery_method ?? ""}>
        <option value="">–</option>
        <option value="Pickup">{deliveryName("Pickup")}</option>
        <option value="Delivery">{deliveryName("Delivery")}</option>
      </Select>
      <div className="sm:col-span-2">
        <TextArea label={t`Notes`} name="notes" defaultValue={order.notes ?? ""} />
      </div>
    </FormDialog>
  );
}
