import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { usePlant } from "@/features/core/queries";
import { useSetting } from "@/features/settings/queries";
import { command } from "@/lib/commands";
import { deliveryName } from "@/lib/labels";
import { explain } from "@/lib/messages";
import { refetchAfter } from "@/lib/refetch";
import type { Order } from "@/lib/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, TextArea } from "@/ui/field";
import { toast } from "@/ui/toast";

const textOf = (form: FormData, name: string) => String(form.get(name) ?? "").trim() || null;

/** An order taken by hand. What is missing or not allowed, the server says. */
export default function NewOrderDialog({ store, onClose }: { store?: string | undefined; onClose: () => void }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const plant = usePlant();
  const [code, setCode] = useState(store ?? "");
  const [problem, setProblem] = useState<string | null>(null);
  const chosen = code || plant.data?.stores[0]?.code || "";
  const flavours = useSetting<string[]>({ store: chosen }, "orders.flavours", []);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    try {
      const answer = await command<Order[]>("create_manual_order", {
        p_store: chosen,
        p_product_title: textOf(form, "title") ?? "",
        p_quantity: Number(form.get("quantity")),
        p_customer_name: textOf(form, "customer"),
        p_flavour: textOf(form, "flavour"),
        p_size: textOf(form, "size"),
        p_cake_writing: textOf(form, "writing"),
        p_notes: textOf(form, "notes"),
        p_delivery_method: textOf(form, "delivery"),
        p_due_date: textOf(form, "due"),
        p_due_time: textOf(form, "time"),
      } as never);
      if (answer.state !== "done") return;
      const made = answer.data[0]?.id ?? "";
      refetchAfter(answer.data.map((order) => ({ stream: "order", stream_id: order.id })));
      toast("ok", t`Order ${made} is on the board.`, {
        label: t`Open`,
        run: () => void navigate({ to: "/orders/$id", params: { id: made } }),
      });
      onClose();
    } catch (error) {
      setProblem(explain(error));
    }
  }

  return (
    <Dialog open onClose={onClose} title={t`New order`}>
      <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
        <Select label={t`Store`} value={chosen} onChange={(event) => setCode(event.target.value)}>
          {plant.data?.stores.map((one) => (
            <option key={one.code} value={one.code}>
              {one.name}
            </option>
          ))}
        </Select>
        <Input label={t`Pieces`} name="quantity" type="number" min={1} max={100} defaultValue={1} required />
        <div className="sm:col-span-2">
          <Input label={t`Product`} name="title" required />
        </div>
        <Input label={t`Flavour`} name="flavour" list="flavours" />
        <datalist id="flavours">
          {flavours.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <Input label={t`Size`} name="size" />
        <div className="sm:col-span-2">
          <Input label={t`Writing on the cake`} name="writing" />
        </div>
        <Input label={t`Customer`} name="customer" autoComplete="off" />
        <Select label={t`Delivery`} name="delivery" defaultValue="Pickup">
          <option value="Pickup">{deliveryName("Pickup")}</option>
          <option value="Delivery">{deliveryName("Delivery")}</option>
        </Select>
        <Input label={t`Due date`} name="due" type="date" note={t`Empty: the next open day.`} />
        <Input label={t`Time window`} name="time" placeholder="10:00–14:00" />
        <div className="sm:col-span-2">
          <TextArea label={t`Notes`} name="notes" />
        </div>
        {problem && (
          <p role="alert" className="font-medium text-bad sm:col-span-2">
            {problem}
          </p>
        )}
        <div className="flex justify-end gap-2 sm:col-span-2">
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
          <Button look="primary" type="submit">
            <Trans>Take the order</Trans>
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
