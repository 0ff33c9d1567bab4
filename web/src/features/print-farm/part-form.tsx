import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Switch, TextArea } from "@/ui/field";
import { Pending } from "@/ui/states";
import { farm } from "./act";
import { usePart } from "./queries";
import type { Part } from "./types";

/** A printed part and what one print of it takes; `sku` null: a new one. */
export function PartDialog({ sku, onClose }: { sku: string | null; onClose: () => void }) {
  const { t } = useLingui();
  const part = usePart(sku);
  return (
    <Dialog open onClose={onClose} title={sku ? t`Edit ${sku}` : t`New part`}>
      {sku && <Pending of={part} />}
      {sku ? part.data && <PartForm part={part.data} onClose={onClose} /> : <PartForm part={null} onClose={onClose} />}
    </Dialog>
  );
}

function PartForm({
  part,
  onClose,
}: {
  part: NonNullable<ReturnType<typeof usePart>["data"]> | null;
  onClose: () => void;
}) {
  const { t } = useLingui();
  const item = part?.inventory_items;
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const number = (name: string) => (text(name) === "" ? null : Number(text(name)));
    const given = {
      p_sku: part?.sku ?? text("sku"),
      p_title: text("title") || null,
      p_print_minutes: number("minutes"),
      p_grams_per_print: number("grams"),
      p_parts_per_print: number("pieces"),
      p_color: text("color"),
      p_material: text("material") || null,
      p_min_stock: number("minimum"),
      p_notes: text("notes"),
      p_is_active: form.get("active") !== null,
    };
    const done = await farm<Part>("upsert_part", given as never, ({ sku }) => t`${sku} is kept.`);
    if (done) onClose();
  }
  return (
    <form onSubmit={save} className="grid gap-3 sm:grid-cols-2">
      {!part && <Input label={t`SKU`} name="sku" required autoComplete="off" />}
      <div className={part ? "sm:col-span-2" : ""}>
        <Input label={t`Name`} name="title" defaultValue={item?.title ?? ""} required={!part} />
      </div>
      <Input
        label={t`Minutes of one print`}
        name="minutes"
        type="number"
        min={0.01}
        step="any"
        defaultValue={part?.print_minutes ?? 60}
        required
      />
      <Input
        label={t`Filament of one print (g)`}
        name="grams"
        type="number"
        min={0}
        step="any"
        defaultValue={part?.grams_per_print ?? 0}
        required
      />
      <Input
        label={t`Parts per print`}
        name="pieces"
        type="number"
        min={1}
        step={1}
        defaultValue={part?.parts_per_print ?? 1}
        required
      />
      <Input
        label={t`Minimum stock`}
        name="minimum"
        type="number"
        min={0}
        step="any"
        defaultValue={item?.min_stock ?? 0}
      />
      <Input label={t`Colour`} name="color" maxLength={60} defaultValue={part?.color ?? ""} />
      <Input label={t`Material`} name="material" maxLength={60} defaultValue={part?.material ?? "PLA"} required />
      <div className="sm:col-span-2">
        <TextArea label={t`Notes`} name="notes" maxLength={2000} defaultValue={part?.notes ?? ""} />
        <Switch
          label={t`Is made`}
          note={t`Off: it is not planned any more, and its files wait for a person.`}
          name="active"
          defaultChecked={part?.is_active ?? true}
        />
      </div>
      <Button look="primary" type="submit" className="sm:col-span-2">
        <Trans>Save</Trans>
      </Button>
    </form>
  );
}
