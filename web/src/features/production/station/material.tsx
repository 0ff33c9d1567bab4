import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import type { Work } from "../types";
import type { Actions } from "./actions";
import type { Fitting, Station } from "./work";

/** What goes in at this step. */
export function Materials({ on }: { on: Work }) {
  const { t } = useLingui();
  if (on.materials.length === 0) return null;
  return (
    <section aria-label={t`What goes in`}>
      <h2 className="text-lg font-semibold">
        <Trans>What goes in, per piece</Trans>
      </h2>
      <ul className="mt-1 flex flex-wrap gap-2">
        {on.materials.map((one) => (
          <li key={one.sku} className="rounded-lg bg-sunk px-3 py-2">
            {formatNumber(Number(one.quantity))} × <span className="font-mono font-semibold">{one.sku}</span>
          </li>
        ))}
      </ul>
      <p className="mt-1 text-sm text-soft">
        <Trans>Scan the lot before you use it: it is checked, and noted for the genealogy.</Trans>
      </p>
    </section>
  );
}

/** A lot that was scanned and fits: how much of it goes in. */
export function MaterialForm(props: { station: Station; on: Work; material: Fitting; actions: Actions }) {
  const { t } = useLingui();
  const { station, on, material, actions } = props;
  const { who } = useStore(session);
  const each = on.materials.find((one) => one.sku === material.sku)?.quantity ?? 1;
  const pieces = Number(on.waiting) + Number(on.can_start) || Number(on.planned);
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const quantity = Number(new FormData(event.currentTarget).get("quantity"));
    station.press(actions.use(quantity, material.sku, material.lot));
    station.dropMaterial();
  }
  if (!may(who, "production.lots")) return null;
  return (
    <form
      key={`${material.sku} ${material.lot}`}
      onSubmit={send}
      aria-label={t`Use lot ${material.lot}`}
      className="flex flex-wrap items-end gap-2 rounded-lg border-2 border-accent p-3"
    >
      <p className="min-w-0 flex-1 basis-48">
        <Trans>
          Lot <b className="font-mono">{material.lot}</b> of {material.sku} fits. How much of it goes in?
        </Trans>
      </p>
      <div className="w-36">
        <Input
          label={t`Quantity`}
          name="quantity"
          type="number"
          inputMode="decimal"
          min={0.001}
          step="any"
          required
          defaultValue={Number(each) * pieces}
        />
      </div>
      <Button look="primary" type="submit">
        <Trans>It goes in</Trans>
      </Button>
      <Button look="quiet" onClick={station.dropMaterial}>
        <Trans>Not now</Trans>
      </Button>
    </form>
  );
}
