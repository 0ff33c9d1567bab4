import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Switch } from "@/ui/field";
import { unitCommand } from "./act";
import type { Variant } from "./types";

/** A variant; null: a new one. */
export function VariantDialog(props: {
  variant: Variant | null;
  onClose: () => void;
  onSaved: (code: string) => void;
}) {
  const { t } = useLingui();
  const { variant } = props;
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const code = variant?.code ?? text("code");
    const given = {
      p_code: code,
      p_title: text("title"),
      p_product_code: text("product")?.toUpperCase() ?? null,
      p_sku: text("sku"),
      p_language_set: text("languages")?.toUpperCase() ?? null,
      p_is_active: form.get("active") !== null,
      p_version: variant?.version ?? null,
    };
    const done = await unitCommand<Variant>("upsert_variant", given, ({ title }) => t`${title} is kept.`);
    if (!done) return;
    props.onSaved(done.data.code);
    props.onClose();
  }
  return (
    <Dialog open onClose={props.onClose} title={variant ? t`Edit ${variant.title}` : t`New variant`}>
      <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
        {!variant && (
          <Input
            label={t`Code`}
            note={t`Letters, digits, dots, dashes.`}
            name="code"
            pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
            maxLength={61}
            required
            autoComplete="off"
          />
        )}
        <Input label={t`Name`} name="title" defaultValue={variant?.title} maxLength={200} required autoComplete="off" />
        <Input
          label={t`Product code`}
          note={t`2 to 8 letters and digits.`}
          name="product"
          pattern="[A-Za-z0-9]{2,8}"
          defaultValue={variant?.product_code}
          required
          autoComplete="off"
        />
        <Input
          label={t`Finished item (SKU)`}
          note={t`What a unit counts as in stock.`}
          name="sku"
          defaultValue={variant?.sku ?? ""}
          autoComplete="off"
        />
        <Input
          label={t`Languages of its kit`}
          note={t`Like NL-EN.`}
          name="languages"
          pattern="[A-Za-z]{2,3}(-[A-Za-z]{2,3})*"
          defaultValue={variant?.default_language_set ?? "EN"}
          required
          autoComplete="off"
        />
        <div className="sm:col-span-2">
          <Switch
            label={t`Is made`}
            note={t`Off: no unit becomes one any more, and none is packed.`}
            name="active"
            defaultChecked={variant?.is_active ?? true}
          />
        </div>
        <Button look="primary" type="submit" className="sm:col-span-2">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
