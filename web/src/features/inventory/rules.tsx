import { Trans, useLingui } from "@lingui/react/macro";
import { Pencil, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { usePlant, useStoreName } from "@/features/core/queries";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { giveStock, STREAMS } from "./act";
import { useEditor } from "./editor";
import { ItemInput } from "./item-input";
import { type Problem, ProblemLine, problemOf } from "./problem";
import { useDeductionRules } from "./queries";
import type { DeductionRule } from "./types";
import { APPLIES_TO, appliesName } from "./words";

/** What orders take from the shelf as soon as they arrive. */
export function RulesPart() {
  const { t } = useLingui();
  const rules = useDeductionRules();
  const { editing, setEditing, mayEdit, tools } = useEditor<DeductionRule>(<Trans>New rule</Trans>);
  return (
    <Panel title={<Trans>What orders take from the shelf</Trans>} tools={tools}>
      <p className="mb-3 text-soft">
        <Trans>
          Each line of an order takes by one rule: the smaller rank first, then the whole title before words, then the
          rule of the store. Orders that are there already keep what they took.
        </Trans>
      </p>
      <Pending of={rules} />
      {rules.data?.length === 0 && <Empty>{t`Orders take nothing yet.`}</Empty>}
      <ul aria-label={t`Order rules`} className="flex flex-col divide-y divide-line">
        {rules.data?.map((rule) => (
          <RuleRow key={rule.id} rule={rule} onEdit={mayEdit ? () => setEditing(rule) : undefined} />
        ))}
      </ul>
      {editing && <RuleDialog rule={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </Panel>
  );
}

function RuleRow({ rule, onEdit }: { rule: DeductionRule; onEdit: (() => void) | undefined }) {
  const { t } = useLingui();
  const storeName = useStoreName();
  const { id, pattern, quantity, item } = rule;
  return (
    <li aria-label={pattern} className="flex min-h-16 flex-wrap items-center gap-2 py-2">
      <div className="min-w-0 flex-1">
        <p className="[overflow-wrap:anywhere]">
          <b>{pattern}</b> → {formatNumber(quantity)} {item.uom} {item.title}
        </p>
        <p className="text-sm text-soft">
          {rule.match === "exact" ? t`the whole title` : t`these words in the title`} · {appliesName(rule.applies_to)} ·{" "}
          {rule.store ? storeName(rule.store) : t`All stores`} · {t`Rank ${rule.priority}`}
        </p>
      </div>
      {!rule.is_active && <Badge tone="warn">{t`Switched off`}</Badge>}
      {onEdit && (
        <>
          <Button aria-label={t`Edit ${pattern}`} onClick={onEdit}>
            <Pencil aria-hidden className="size-5" />
          </Button>
          <Button
            look="quiet"
            aria-label={t`Remove ${pattern}`}
            onClick={() => void giveStock("delete_deduction_rule", { p_id: id }, t`${pattern}: the rule is gone.`)}
          >
            <Trash2 aria-hidden className="size-5" />
          </Button>
        </>
      )}
    </li>
  );
}

function RuleDialog({ rule, onClose }: { rule: DeductionRule | null; onClose: () => void }) {
  const { t } = useLingui();
  const plant = usePlant();
  const [sku, setSku] = useState(rule?.sku ?? "");
  const [problem, setProblem] = useState<Problem | null>(null);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem(null);
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    try {
      await command("save_deduction_rule", {
        p_pattern: rule?.pattern ?? text("pattern"),
        p_sku: sku.trim(),
        p_quantity: Number(text("quantity")),
        p_match: rule?.match ?? text("match"),
        p_applies_to: rule?.applies_to ?? text("applies_to"),
        p_store: rule ? rule.store : text("store") || null,
        p_priority: Number(text("priority")),
        p_is_active: form.has("is_active"),
      });
      toast("ok", t`Saved.`);
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
    }
    refetchStreams(...STREAMS);
  }

  return (
    <Dialog open onClose={onClose} title={rule ? rule.pattern : t`New rule`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        {!rule && (
          <>
            <Input label={t`Words in the order`} name="pattern" required maxLength={200} placeholder={t`Gold candle`} />
            <Select label={t`They are`} name="match">
              <option value="keyword">{t`words of the title`}</option>
              <option value="exact">{t`the whole title`}</option>
            </Select>
            <Select label={t`Looked for in`} name="applies_to">
              {APPLIES_TO.map((to) => (
                <option key={to} value={to}>
                  {appliesName(to)}
                </option>
              ))}
            </Select>
            <Select label={t`Store`} name="store">
              <option value="">{t`All stores`}</option>
              {plant.data?.stores.map((store) => (
                <option key={store.code} value={store.code}>
                  {store.name}
                </option>
              ))}
            </Select>
            <ItemInput label={t`Takes (SKU)`} value={sku} onChange={setSku} />
          </>
        )}
        <Input
          label={t`Pieces for one`}
          name="quantity"
          type="number"
          min={0.001}
          step="any"
          required
          defaultValue={rule?.quantity ?? 1}
        />
        <Input
          label={t`Rank`}
          note={t`Of several rules that fit, the smallest is taken.`}
          name="priority"
          type="number"
          step={1}
          required
          defaultValue={rule?.priority ?? 100}
        />
        <Switch label={t`In use`} name="is_active" defaultChecked={rule?.is_active ?? true} />
        <ProblemLine of={problem} />
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
