import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { toast } from "@/ui/toast";
import { STREAMS } from "./act";
import { type Problem, ProblemLine, problemOf } from "./problem";
import type { Item } from "./types";
import { KINDS, kindName } from "./words";

const text = (form: FormData, name: string) => String(form.get(name) ?? "").trim();
const number = (form: FormData, name: string) => (text(form, name) === "" ? null : Number(text(form, name)));

/** A new item, or changes to one; those who may not change items set its minimum only. */
export function ItemDialog({ item, onClose }: { item?: Item; onClose: () => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const navigate = useNavigate();
  const [problem, setProblem] = useState<Problem | null>(null);
  const whole = may(who, "inventory.manage");

  async function give(form: FormData): Promise<void> {
    const minimum = number(form, "min_stock") ?? 0;
    if (item && !whole) {
      await command("set_min_stock", { p_sku: item.sku, p_min_stock: minimum });
      return;
    }
    const answer = await command<Item>("upsert_item", {
      p_sku: item?.sku ?? text(form, "sku"),
      p_title: text(form, "title"),
      p_kind: text(form, "kind"),
      p_uom: text(form, "uom"),
      p_min_stock: minimum,
      p_supplier: text(form, "supplier"),
      p_unit_cost: number(form, "unit_cost"),
      p_forbid_negative: form.has("forbid_negative"),
      p_is_stocked: form.has("is_stocked"),
      p_is_listed: form.has("is_listed"),
      p_is_active: form.has("is_active"),
      p_version: item?.version ?? 0,
    });
    if (!item && answer.state === "done") void navigate({ to: "/stock/item", search: { sku: answer.data.sku } });
  }

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem(null);
    try {
      await give(new FormData(event.currentTarget));
      toast("ok", t`Saved.`);
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
    }
    refetchStreams(...STREAMS);
  }

  return (
    <Dialog open onClose={onClose} title={item ? item.title : t`New item`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        {whole && <Fields item={item} />}
        <Input
          label={t`Minimum`}
          note={t`At or below it the item is low. 0: no alarm.`}
          name="min_stock"
          type="number"
          min={0}
          step="any"
          defaultValue={item?.min_stock ?? 0}
        />
        {whole && <Rules item={item} />}
        <ProblemLine of={problem} />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
          <Button look="primary" type="submit">
            <Trans>Save</Trans>
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Fields({ item }: { item: Item | undefined }) {
  const { t } = useLingui();
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      {!item && (
        <div className="sm:col-span-2">
          <Input label="SKU" name="sku" required autoComplete="off" maxLength={80} className="font-mono" />
        </div>
      )}
      <div className="sm:col-span-2">
        <Input label={t`Name`} name="title" required maxLength={200} defaultValue={item?.title} />
      </div>
      <Select label={t`Kind`} name="kind" defaultValue={item?.kind ?? "component"}>
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {kindName(kind)}
          </option>
        ))}
      </Select>
      <Input
        label={t`Unit`}
        note={t`pcs, kg, m …`}
        name="uom"
        required
        maxLength={20}
        defaultValue={item?.uom ?? "pcs"}
      />
      <Input label={t`Supplier`} name="supplier" maxLength={200} defaultValue={item?.supplier ?? ""} />
      <Input
        label={t`Cost of one`}
        name="unit_cost"
        type="number"
        min={0}
        step="any"
        defaultValue={item?.unit_cost ?? ""}
      />
    </div>
  );
}

function Rules({ item }: { item: Item | undefined }) {
  const { t } = useLingui();
  return (
    <div>
      <Switch
        label={t`Kept in stock`}
        note={t`Off: labour, software, or a name for its components.`}
        name="is_stocked"
        defaultChecked={item?.is_stocked ?? true}
      />
      <Switch
        label={t`Never below zero`}
        note={t`What is not there cannot be taken.`}
        name="forbid_negative"
        defaultChecked={item?.forbid_negative ?? false}
      />
      <Switch label={t`Tell the shops when it runs out`} name="is_listed" defaultChecked={item?.is_listed ?? true} />
      <Switch label={t`In use`} name="is_active" defaultChecked={item?.is_active ?? true} />
    </div>
  );
}
