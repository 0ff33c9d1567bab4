import { Trans, useLingui } from "@lingui/react/macro";
import { Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { command } from "@/lib/commands";
import { stageName } from "@/lib/labels";
import { refetchStreams } from "@/lib/refetch";
import { STAGES } from "@/lib/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { toast } from "@/ui/toast";
import { STREAMS } from "./act";
import { ItemInput } from "./item-input";
import { type Problem, ProblemLine, problemOf } from "./problem";
import type { Requirement } from "./types";

/** Whose bill of materials it is: arguments of save_requirements. */
export type Product = { p_parent_sku: string } | ProductTitle;
export interface ProductTitle {
  p_title: string;
  p_store: string | null;
  p_variant: string | null;
  p_match: "exact" | "keyword";
}

type Part = Pick<Requirement, "sku" | "stage" | "is_optional"> & { quantity: number | string };
interface Line extends Part {
  n: number;
}

/** The whole bill of materials of a product, edited and saved at once. `product` null: `naming` asks for it. */
export function RequirementsDialog(props: {
  title: string;
  product: Product | ((form: FormData) => ProductTitle);
  naming?: React.ReactNode;
  lines: Part[];
  onClose: () => void;
}) {
  const { t } = useLingui();
  const [lines, setLines] = useState<Line[]>(() => props.lines.map((line, n) => ({ ...line, n })));
  const [problem, setProblem] = useState<Problem | null>(null);
  const change = (n: number, fields: Partial<Line>) =>
    setLines((old) => old.map((line) => (line.n === n ? { ...line, ...fields } : line)));
  const add = () =>
    setLines((old) => [
      ...old,
      { n: (old.at(-1)?.n ?? -1) + 1, sku: "", quantity: 1, stage: null, is_optional: false },
    ]);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem(null);
    const product =
      typeof props.product === "function" ? props.product(new FormData(event.currentTarget)) : props.product;
    const p_lines = lines.map(({ sku, quantity, stage, is_optional }) => ({
      sku: sku.trim(),
      quantity: Number(quantity),
      stage,
      is_optional,
    }));
    try {
      await command("save_requirements", { ...product, p_lines } as never);
      toast("ok", t`Saved.`);
      props.onClose();
    } catch (error) {
      setProblem(problemOf(error));
    }
    refetchStreams(...STREAMS);
  }

  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t`What is in: ${props.title}`}
      note={t`For one piece. A ticket uses what has no stage in Packing.`}
    >
      <form onSubmit={save} className="flex flex-col gap-4">
        {props.naming}
        {lines.map((line) => (
          <LineFields
            key={line.n}
            line={line}
            change={(fields) => change(line.n, fields)}
            remove={() => setLines((old) => old.filter((one) => one.n !== line.n))}
          />
        ))}
        <Button onClick={add}>
          <Plus aria-hidden className="size-5" /> <Trans>Add a component</Trans>
        </Button>
        <ProblemLine of={problem} />
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

function LineFields(props: { line: Line; change: (fields: Partial<Line>) => void; remove: () => void }) {
  const { t } = useLingui();
  const { line, change } = props;
  return (
    <fieldset className="grid grid-cols-[minmax(0,1fr)_7rem] gap-2 rounded-xl border border-line p-3">
      <legend className="sr-only">{line.sku || t`New component`}</legend>
      <ItemInput label={t`Component (SKU)`} value={line.sku} onChange={(sku) => change({ sku })} />
      <Input
        label={t`Quantity`}
        type="number"
        min={0.001}
        step="any"
        required
        value={line.quantity}
        onChange={(event) => change({ quantity: event.target.value })}
      />
      <Select
        label={t`Stage`}
        value={line.stage ?? ""}
        onChange={(event) => change({ stage: STAGES.find((stage) => stage === event.target.value) ?? null })}
      >
        <option value="">{t`No stage`}</option>
        {STAGES.map((stage) => (
          <option key={stage} value={stage}>
            {stageName(stage)}
          </option>
        ))}
      </Select>
      <Button
        look="quiet"
        className="self-end"
        aria-label={t`Remove ${line.sku || t`this component`}`}
        onClick={props.remove}
      >
        <Trash2 aria-hidden className="size-5" />
      </Button>
      <div className="col-span-2">
        <Switch
          label={t`Only if there is any`}
          checked={line.is_optional}
          onChange={(event) => change({ is_optional: event.target.checked })}
        />
      </div>
    </fieldset>
  );
}
