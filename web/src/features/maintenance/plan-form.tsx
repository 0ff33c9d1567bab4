import { Trans, useLingui } from "@lingui/react/macro";
import { Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useSite } from "@/features/production/queries";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { maintain } from "./act";
import { useMachines } from "./queries";
import type { PlanItem, PlanRow } from "./types";
import { BASES, unitName } from "./words";

type Item = Omit<PlanItem, "position"> & { n: number };
let count = 0;
const itemOf = (item?: PlanItem): Item => {
  count += 1;
  return { n: count, title: "", unit: null, lower: null, upper: null, ...item };
};

/** A plan: which machine, how often, what is looked at. */
export function PlanDialog({ row, onClose }: { row: PlanRow | null; onClose: () => void }) {
  const { t } = useLingui();
  const machines = useMachines(useSite(), {});
  const [based, setBased] = useState(row?.plan.based_on ?? "calendar");
  const [items, setItems] = useState<Item[]>(() => row?.items.map(itemOf) ?? []);
  const [stands, setStands] = useState(row?.plan.is_down ?? true);
  const [isActive, setActive] = useState(row?.plan.is_active ?? true);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const done = await maintain(
      "save_maintenance_plan",
      {
        p_machine: row?.plan.machine ?? text("machine"),
        p_title: row?.plan.title ?? text("title"),
        p_based_on: based,
        p_every: Number(text("every")),
        p_lead: Number(text("lead") || 0),
        p_items: items
          .filter((one) => one.title.trim())
          .map(({ title, unit, lower, upper }) => ({ title, unit, lower, upper })),
        p_instructions: text("how"),
        p_is_down: stands,
        p_is_active: isActive,
      } as never,
      () => t`The plan is saved.`,
    );
    if (done) onClose();
  }
  const unit = unitName(based);
  return (
    <Dialog open onClose={onClose} title={row ? row.plan.title : t`New plan`} note={row?.machine_name}>
      <form onSubmit={send} className="flex flex-col gap-3">
        {!row && (
          <>
            <Select label={t`Machine`} name="machine" required>
              {machines.data?.map(({ machine }) => (
                <option key={machine.code} value={machine.code}>
                  {machine.name}
                </option>
              ))}
            </Select>
            <Input label={t`What is done`} name="title" maxLength={200} required />
          </>
        )}
        <Select label={t`It goes by`} value={based} onChange={(event) => setBased(event.target.value)}>
          {BASES.map((one) => (
            <option key={one} value={one}>
              {unitName(one)}
            </option>
          ))}
        </Select>
        <div className="grid grid-cols-2 gap-3">
          <Input
            label={t`Every so many ${unit}`}
            name="every"
            type="number"
            min={1}
            step="any"
            required
            defaultValue={row?.plan.every}
          />
          <Input
            label={t`Work order before that (${unit})`}
            name="lead"
            type="number"
            min={0}
            step="any"
            defaultValue={row?.plan.lead ?? 0}
          />
        </div>
        <TextArea label={t`How it is done`} name="how" maxLength={4000} defaultValue={row?.plan.instructions ?? ""} />
        <Items items={items} onChange={setItems} />
        <Switch
          label={t`The machine stands for it`}
          checked={stands}
          onChange={(event) => setStands(event.target.checked)}
        />
        <Switch label={t`In use`} checked={isActive} onChange={(event) => setActive(event.target.checked)} />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save the plan</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

function Items({ items, onChange }: { items: Item[]; onChange: (items: Item[]) => void }) {
  const { t } = useLingui();
  const set = (n: number, change: Partial<Item>) =>
    onChange(items.map((one) => (one.n === n ? { ...one, ...change } : one)));
  const number = (value: string) => (value === "" ? null : Number(value));
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="mb-1 text-sm text-soft">{t`Checklist; with a unit something is measured`}</legend>
      {items.map((one, index) => (
        <div key={one.n} className="grid grid-cols-[1fr_auto] items-end gap-2 rounded-xl border border-line p-2">
          <Input
            label={t`Check ${index + 1}`}
            value={one.title}
            maxLength={300}
            onChange={(event) => set(one.n, { title: event.target.value })}
          />
          <Button
            look="quiet"
            aria-label={t`Leave check ${index + 1} out`}
            onClick={() => onChange(items.filter(({ n }) => n !== one.n))}
          >
            <Trash2 aria-hidden />
          </Button>
          <div className="col-span-2 grid grid-cols-3 gap-2">
            <Input
              label={t`Unit`}
              value={one.unit ?? ""}
              maxLength={20}
              onChange={(event) => set(one.n, { unit: event.target.value || null })}
            />
            <Input
              label={t`At least`}
              type="number"
              step="any"
              disabled={!one.unit}
              value={one.lower ?? ""}
              onChange={(event) => set(one.n, { lower: number(event.target.value) })}
            />
            <Input
              label={t`At most`}
              type="number"
              step="any"
              disabled={!one.unit}
              value={one.upper ?? ""}
              onChange={(event) => set(one.n, { upper: number(event.target.value) })}
            />
          </div>
        </div>
      ))}
      <Button onClick={() => onChange([...items, itemOf()])}>
        <Trans>Add a check</Trans>
      </Button>
    </fieldset>
  );
}
