import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { Plus, X } from "lucide-react";
import { type FormEvent, useEffect, useState } from "react";
import { takeScans } from "@/features/workflows/scan/state";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { STREAMS } from "./act";
import { ItemInput } from "./item-input";
import { type Problem, ProblemLine, problemOf } from "./problem";
import { usePlaces } from "./queries";
import { scannedItem } from "./scan";
import type { CountAnswer } from "./types";

/** What is counted: a place, and all that lies there or only some items. */
export function StartCountDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const places = usePlaces();
  const [skus, setSkus] = useState<string[]>([]);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const add = (sku: string) => {
    if (sku) setSkus((old) => (old.includes(sku) ? old : [...old, sku]));
    setTyped("");
  };
  useEffect(
    () =>
      takeScans(async (code) => {
        const item = await scannedItem(code);
        if (item) setSkus((old) => (old.includes(item.sku) ? old : [...old, item.sku]));
        return item !== null;
      }),
    [],
  );

  async function start(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const chosen = typed.trim() && !skus.includes(typed.trim()) ? [...skus, typed.trim()] : skus;
    try {
      const answer = await command<CountAnswer>("start_count", {
        p_location: String(form.get("place")),
        p_skus: chosen.length > 0 ? chosen : null,
        p_note: String(form.get("note")).trim() || null,
      });
      refetchStreams(...STREAMS);
      if (answer.state !== "done") return;
      void navigate({ to: "/stock/counts/$id", params: { id: String(answer.data.count_row.id) } });
    } catch (error) {
      setProblem(problemOf(error));
    }
  }

  return (
    <Dialog open onClose={onClose} title={t`Start a count`}>
      <form onSubmit={start} className="flex flex-col gap-3">
        <Select label={t`Place`} name="place">
          {places.data
            ?.filter((place) => place.is_active)
            .map((place) => (
              <option key={place.code} value={place.code}>
                {place.title}
              </option>
            ))}
        </Select>
        <fieldset className="flex flex-col gap-2 rounded-xl border border-line p-3">
          <legend className="px-1 text-sm font-medium text-soft">
            {skus.length === 0 ? <Trans>All that lies there, or scan what to count</Trans> : <Trans>Only these</Trans>}
          </legend>
          <ul className="flex flex-wrap gap-2">
            {skus.map((sku) => (
              <li key={sku}>
                <Button
                  onClick={() => setSkus((old) => old.filter((one) => one !== sku))}
                  aria-label={t`Leave out ${sku}`}
                >
                  <span className="font-mono">{sku}</span> <X aria-hidden className="size-4" />
                </Button>
              </li>
            ))}
          </ul>
          <div className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <ItemInput label={t`Item (SKU)`} optional value={typed} onChange={setTyped} />
            </div>
            <Button aria-label={t`Add this item`} onClick={() => add(typed.trim())}>
              <Plus aria-hidden />
            </Button>
          </div>
        </fieldset>
        <Input label={t`Note`} name="note" maxLength={500} />
        <ProblemLine of={problem} />
        <Button look="primary" type="submit">
          <Trans>Start counting</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
