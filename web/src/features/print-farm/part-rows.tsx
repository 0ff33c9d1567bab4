import { Trans, useLingui } from "@lingui/react/macro";
import { Plus, Trash2 } from "lucide-react";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { usePartNames } from "./queries";

/** A part and how many of it, while it is typed. */
export interface PartRow {
  n: number;
  sku: string;
  quantity: string;
  object_ids: number[] | null;
}

export const partRow = (n: number, sku = "", quantity = 1, object_ids: number[] | null = null): PartRow => ({
  n,
  sku,
  quantity: String(quantity),
  object_ids,
});

/** The rows as the server takes them. */
export const linesOf = (rows: PartRow[]) =>
  rows.map(({ sku, quantity, object_ids }) => ({ sku, quantity: Number(quantity), object_ids }));

/** Which parts, and how many of each. */
export function PartRows({ rows, onChange }: { rows: PartRow[]; onChange: (rows: PartRow[]) => void }) {
  const { t } = useLingui();
  const parts = usePartNames();
  const set = (n: number, change: Partial<PartRow>) =>
    onChange(rows.map((row) => (row.n === n ? { ...row, ...change } : row)));
  return (
    <>
      {rows.map((row) => (
        <div key={row.n} className="flex items-end gap-2">
          <div className="min-w-0 flex-1">
            <Select
              label={t`Part`}
              value={row.sku}
              required
              onChange={(event) => set(row.n, { sku: event.target.value, object_ids: null })}
            >
              <option value="">{t`Choose …`}</option>
              {parts.data?.map((one) => (
                <option key={one.sku} value={one.sku}>
                  {one.inventory_items.title} ({one.sku})
                </option>
              ))}
            </Select>
          </div>
          <div className="w-24">
            <Input
              label={t`Pieces`}
              type="number"
              min={0.001}
              step="any"
              required
              value={row.quantity}
              onChange={(event) => set(row.n, { quantity: event.target.value })}
            />
          </div>
          {rows.length > 1 && (
            <Button
              look="quiet"
              aria-label={t`Take ${row.sku} off`}
              onClick={() => onChange(rows.filter((one) => one.n !== row.n))}
            >
              <Trash2 aria-hidden />
            </Button>
          )}
        </div>
      ))}
      <Button
        className="self-start"
        onClick={() => onChange([...rows, partRow(Math.max(-1, ...rows.map((row) => row.n)) + 1)])}
      >
        <Plus aria-hidden className="size-5" /> <Trans>Another part on it</Trans>
      </Button>
    </>
  );
}
