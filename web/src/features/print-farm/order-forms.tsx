import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { Pending } from "@/ui/states";
import { farm } from "./act";
import { useFarmSite, usePartNames, useProductionOrder } from "./queries";
import { PRIORITIES, type ProductionChange, type ProductionOrder } from "./types";
import { fulfilmentName, groupName } from "./words";

const textOf = (form: FormData, name: string) => String(form.get(name) ?? "").trim() || null;

function PrioritySelect({ value }: { value: string }) {
  const { t } = useLingui();
  return (
    <Select label={t`Priority`} name="priority" defaultValue={value}>
      {PRIORITIES.map((one) => (
        <option key={one} value={one}>
          {groupName(one)}
        </option>
      ))}
    </Select>
  );
}

/** Something is to be made; it gets the parts that are there at once. */
export function NewOrderDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const parts = usePartNames();
  const site = useFarmSite();
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = {
      p_product_sku: textOf(form, "sku"),
      p_quantity: Number(form.get("quantity")),
      p_priority: textOf(form, "priority"),
      p_due_date: textOf(form, "due"),
      p_code: textOf(form, "code"),
      p_site: site,
      p_type: form.get("shelf") ? "REPLENISHMENT" : "PRODUCTION",
      p_notes: textOf(form, "notes"),
    };
    const done = await farm<ProductionChange>(
      "create_production_order",
      given as never,
      ({ order_row, fulfillment_status }) =>
        `${order_row.code}: ${fulfilmentName(fulfillment_status ?? "unfulfilled")}`,
    );
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`New production order`}>
      <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
        <div className="sm:col-span-2">
          <Input
            label={t`What is to be made (SKU)`}
            note={t`A part, or a product made of parts.`}
            name="sku"
            list="part-skus"
            autoComplete="off"
            required
          />
          <datalist id="part-skus">
            {parts.data?.map((one) => (
              <option key={one.sku} value={one.sku}>
                {one.inventory_items.title}
              </option>
            ))}
          </datalist>
        </div>
        <Input label={t`Pieces`} name="quantity" type="number" min={0.001} step="any" defaultValue={1} required />
        <PrioritySelect value="normal" />
        <Input label={t`Due date`} name="due" type="date" />
        <Input label={t`Number`} note={t`Empty: the next free one.`} name="code" maxLength={61} />
        <div className="sm:col-span-2">
          <TextArea label={t`Notes`} name="notes" maxLength={2000} />
          <Switch label={t`For the shelf`} note={t`It waits behind every order of a customer.`} name="shelf" />
        </div>
        <Button look="primary" type="submit" className="sm:col-span-2">
          <Trans>Take the order</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

/** Quantity, date, priority; or the end of it. */
export function EditOrderDialog({ code, onClose }: { code: string; onClose: () => void }) {
  const { t } = useLingui();
  const order = useProductionOrder(code);
  return (
    <Dialog open onClose={onClose} title={t`Change ${code}`} note={t`Parts are promised anew at once.`}>
      <Pending of={order} />
      {order.data && <EditForm order={order.data} onClose={onClose} />}
    </Dialog>
  );
}

function EditForm({ order, onClose }: { order: ProductionOrder; onClose: () => void }) {
  const { t } = useLingui();
  const [isEnding, setEnding] = useState(false);
  const { code } = order;
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const due = textOf(form, "due");
    const given = {
      p_code: code,
      p_priority: textOf(form, "priority"),
      p_quantity: Number(form.get("quantity")),
      p_due_date: due,
      p_clear_due_date: due === null,
      p_notes: String(form.get("notes") ?? "").trim(),
      p_version: order.version,
    };
    const done = await farm<ProductionChange>("update_production_order", given as never, ({ changed }) =>
      changed ? t`${code} is changed.` : t`${code}: nothing to change.`,
    );
    if (done) onClose();
  }
  async function cancel(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = { p_code: code, p_reason: textOf(new FormData(event.currentTarget), "reason") };
    const done = await farm<ProductionChange>(
      "cancel_production_order",
      given as never,
      () => t`${code} is cancelled. Its parts went to the next in the queue.`,
    );
    if (done) onClose();
  }
  if (isEnding) {
    return (
      <form onSubmit={cancel} className="flex flex-col gap-3">
        <TextArea label={t`Why is it cancelled?`} name="reason" maxLength={500} required autoFocus />
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => setEnding(false)}>
            <Trans>Back</Trans>
          </Button>
          <Button look="danger" type="submit">
            <Trans>Cancel the order</Trans>
          </Button>
        </div>
      </form>
    );
  }
  return (
    <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
      <Input
        label={t`Pieces`}
        name="quantity"
        type="number"
        min={0.001}
        step="any"
        defaultValue={order.quantity}
        required
      />
      <PrioritySelect value={order.priority} />
      <Input label={t`Due date`} name="due" type="date" defaultValue={order.due_date ?? ""} />
      <div className="sm:col-span-2">
        <TextArea label={t`Notes`} name="notes" maxLength={2000} defaultValue={order.notes ?? ""} />
      </div>
      <div className="flex flex-wrap gap-2 sm:col-span-2">
        <Button look="danger" className="mr-auto" onClick={() => setEnding(true)}>
          <Trans>Cancel the order …</Trans>
        </Button>
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </div>
    </form>
  );
}
