import { Trans, useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { Printer } from "lucide-react";
import { usePlant } from "@/features/core/queries";
import { deliveryName } from "@/lib/labels";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay } from "@/lib/time";
import { Button, LinkButton } from "@/ui/button";
import { BarCode, QrCode } from "@/ui/codes";
import { Pending } from "@/ui/states";
import { useOrder } from "./queries";

/** The packing slip: made for paper, with a bar code and a QR code that say the same. */
export function SlipPage() {
  const { t } = useLingui();
  const { id } = useParams({ strict: false }) as { id: string };
  const { who } = useStore(session);
  const query = useOrder(id);
  const store = usePlant().data?.stores.find((one) => one.code === query.data?.store);
  const order = query.data;
  const goes = (order?.accessories ?? []) as { title?: string; quantity?: number }[];
  return (
    <main className="mx-auto max-w-2xl p-4">
      <div className="no-print mb-4 flex gap-2">
        <Button look="primary" onClick={() => void document.fonts.ready.then(() => window.print())}>
          <Printer aria-hidden /> <Trans>Print</Trans>
        </Button>
        <LinkButton to="/orders/$id" params={{ id } as never}>
          <Trans>Back to the ticket</Trans>
        </LinkButton>
      </div>
      <Pending of={query} />
      {order && who && (
        <article className="flex flex-col gap-4 rounded-xl bg-white p-6 text-black print:rounded-none print:p-0">
          <header className="flex items-start gap-4">
            <div className="min-w-0 flex-1">
              <p className="text-lg font-semibold">{store?.name ?? order.store}</p>
              <h1 className="font-mono text-3xl font-bold">{order.id}</h1>
              <p className="text-xl">
                {[order.due_date && formatDay(order.due_date), order.due_time].filter(Boolean).join(", ")}
                {order.delivery_method && ` · ${deliveryName(order.delivery_method)}`}
              </p>
              <p className="text-xl font-semibold">{order.customer_name}</p>
            </div>
            <QrCode text={order.id} label={t`QR code of ${order.id}`} className="size-32 shrink-0" />
          </header>
          <BarCode text={order.id} label={t`Bar code of ${order.id}`} className="h-20 w-full" />
          <section className="border-y-2 border-black py-3">
            <p className="text-2xl font-bold">
              {order.item_qty} × {[order.size, order.flavour].filter(Boolean).join(" · ")}
            </p>
            <p className="text-xl">{order.product_title}</p>
            {order.cake_writing && <p className="mt-2 text-2xl">“{order.cake_writing}”</p>}
          </section>
          {Array.isArray(goes) && goes.length > 0 && (
            <ul className="text-lg">
              {goes.map((one) => (
                <li key={one.title}>
                  ☐ {one.quantity ?? 1} × {one.title}
                </li>
              ))}
            </ul>
          )}
          {order.notes && <p className="whitespace-pre-line">{order.notes}</p>}
        </article>
      )}
    </main>
  );
}
