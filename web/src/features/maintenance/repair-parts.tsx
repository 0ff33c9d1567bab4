import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { maintain } from "./act";
import type { RepairChange, RepairDetail, UsedPart } from "./types";

/** Spare parts that were taken from stock for it. */
export function RepairParts({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const may = of.actions.includes("use_repair_part");
  const used = of.parts.filter((one) => one.reverses === null);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    const [sku, quantity] = [String(form.get("sku")).trim(), Number(form.get("quantity"))];
    const done = await maintain<RepairChange>(
      "use_repair_part",
      { p_id: of.repair.id, p_sku: sku, p_quantity: quantity } as never,
      () => t`${formatNumber(quantity)} × ${sku} taken from stock.`,
    );
    if (done) element.reset();
  }
  return (
    <Panel title={t`Parts from stock`}>
      {used.length === 0 && (
        <p className="text-soft">
          <Trans>None so far.</Trans>
        </p>
      )}
      <ul className="flex flex-col gap-2">
        {used.map((one) => (
          <Part key={one.txn_id} of={of} part={one} may={may} />
        ))}
      </ul>
      {may && (
        <form onSubmit={send} className="mt-3 flex flex-wrap items-end gap-2 border-t border-line pt-3">
          <div className="min-w-40 flex-1">
            <Input label={t`Part (SKU)`} name="sku" required autoCapitalize="characters" />
          </div>
          <div className="w-28">
            <Input label={t`Quantity`} name="quantity" type="number" min={0} step="any" defaultValue={1} required />
          </div>
          <Button type="submit">
            <Trans>Take it</Trans>
          </Button>
        </form>
      )}
    </Panel>
  );
}

function Part({ of, part, may }: { of: RepairDetail; part: UsedPart; may: boolean }) {
  const { t } = useLingui();
  const back = () =>
    void maintain<RepairChange>(
      "return_repair_part",
      { p_id: of.repair.id, p_txn_id: part.txn_id } as never,
      () => t`${part.sku} is back in stock.`,
    );
  return (
    <li className="flex flex-wrap items-center gap-2">
      <span className={part.is_returned ? "flex-1 text-soft line-through" : "flex-1"}>
        {formatNumber(part.quantity)} {part.uom} {part.title} <span className="font-mono text-sm">{part.sku}</span>
      </span>
      <span>{formatNumber(part.cost)}</span>
      {part.is_returned && <span className="text-soft">{t`taken back`}</span>}
      {may && !part.is_returned && (
        <Button look="quiet" onClick={back}>
          <Trans>Take back</Trans>
        </Button>
      )}
    </li>
  );
}
