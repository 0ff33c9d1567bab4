import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Pencil } from "lucide-react";
import { usePlant, useStoreName } from "@/features/core/queries";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useEditor } from "./editor";
import { useProductRequirements } from "./queries";
import { PartNotes } from "./requirements";
import { type ProductTitle, RequirementsDialog } from "./requirements-form";
import type { RequirementRow } from "./types";

interface Bill {
  key: string;
  product: ProductTitle;
  lines: RequirementRow[];
}

/** Rows of one product together, in the order in which they came. */
function bills(rows: RequirementRow[]): Bill[] {
  const found = new Map<string, Bill>();
  for (const row of rows) {
    const product = { p_title: row.title ?? "", p_store: row.store, p_variant: row.variant, p_match: row.match };
    const key = JSON.stringify(Object.values(product));
    const bill = found.get(key) ?? { key, product, lines: [] };
    bill.lines.push(row);
    found.set(key, bill);
  }
  return [...found.values()];
}

/** What the products of the shops take from stock, stage by stage. */
export function ProductsPart() {
  const { t } = useLingui();
  const rows = useProductRequirements();
  const { editing, setEditing, mayEdit, tools } = useEditor<Bill>(<Trans>New product</Trans>);
  return (
    <Panel title={<Trans>What products take from stock</Trans>} tools={tools}>
      <p className="mb-3 text-soft">
        <Trans>Components with a stage are used when that stage is done, in stores that track stock.</Trans>
      </p>
      <Pending of={rows} />
      {rows.data?.length === 0 && <Empty>{t`No product takes anything yet.`}</Empty>}
      <ul className="grid gap-3 md:grid-cols-2">
        {bills(rows.data ?? []).map((bill) => (
          <li key={bill.key} className="rounded-xl border border-line p-3">
            <BillCard bill={bill} onEdit={mayEdit ? () => setEditing(bill) : undefined} />
          </li>
        ))}
      </ul>
      {editing === "new" && (
        <RequirementsDialog
          title={t`a product`}
          naming={<Naming />}
          product={named}
          lines={[{ sku: "", quantity: 1, stage: null, is_optional: false }]}
          onClose={() => setEditing(null)}
        />
      )}
      {editing && editing !== "new" && (
        <RequirementsDialog
          title={editing.product.p_title}
          product={editing.product}
          lines={editing.lines}
          onClose={() => setEditing(null)}
        />
      )}
    </Panel>
  );
}

function BillCard({ bill, onEdit }: { bill: Bill; onEdit: (() => void) | undefined }) {
  const { t } = useLingui();
  const storeName = useStoreName();
  const { p_title, p_store, p_variant, p_match } = bill.product;
  return (
    <>
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h3 className="font-semibold">{p_title}</h3>
          <p className="text-sm text-soft">
            {p_store ? storeName(p_store) : t`All stores`}
            {p_variant && ` · ${p_variant}`} · {p_match === "exact" ? t`the whole title` : t`these words in the title`}
          </p>
        </div>
        {onEdit && (
          <Button aria-label={t`Edit what ${p_title} takes`} onClick={onEdit}>
            <Pencil aria-hidden className="size-5" />
          </Button>
        )}
      </div>
      <ul>
        {bill.lines.map((line) => (
          <li key={line.id} className="flex flex-wrap items-center gap-2">
            <Link
              to="/stock/item"
              search={{ sku: line.sku }}
              className="flex min-h-12 min-w-0 flex-1 items-center rounded-lg px-2 hover:bg-sunk"
            >
              <span className="min-w-0">
                <b>{formatNumber(line.quantity)} ×</b> {line.item.title}
              </span>
            </Link>
            <PartNotes part={line} />
          </li>
        ))}
      </ul>
    </>
  );
}

const named = (form: FormData): ProductTitle => ({
  p_title: String(form.get("title")).trim(),
  p_store: String(form.get("store")) || null,
  p_variant: String(form.get("variant")).trim() || null,
  p_match: form.get("match") === "keyword" ? "keyword" : "exact",
});

/** Which products: by their title, as the shop writes it. */
function Naming() {
  const { t } = useLingui();
  const plant = usePlant();
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      <div className="sm:col-span-2">
        <Input label={t`Title of the product`} name="title" required maxLength={200} />
      </div>
      <Select label={t`It must`} name="match">
        <option value="exact">{t`be the whole title`}</option>
        <option value="keyword">{t`have these words`}</option>
      </Select>
      <Select label={t`Store`} name="store">
        <option value="">{t`All stores`}</option>
        {plant.data?.stores.map((store) => (
          <option key={store.code} value={store.code}>
            {store.name}
          </option>
        ))}
      </Select>
      <div className="sm:col-span-2">
        <Input label={t`Only the variant with`} name="variant" placeholder={t`Large`} maxLength={200} />
      </div>
    </div>
  );
}
