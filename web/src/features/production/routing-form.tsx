import { Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { type FormEvent, useDeferredValue, useState } from "react";
import { ItemInput } from "@/features/inventory/item-input";
import { type Problem, ProblemLine, problemOf } from "@/features/inventory/problem";
import { useRequirements } from "@/features/inventory/queries";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Switch } from "@/ui/field";
import { toast } from "@/ui/toast";
import { type Draft, draftOf, emptyDraft, StepFields } from "./routing-steps";
import type { RoutingChange, RoutingItem, RoutingVersion } from "./routing-types";

/** A new version: of an item that has a routing, made from one of its versions, or the first one of an item. */
export function RoutingForm(props: { item?: RoutingItem; from?: RoutingVersion; onClose: () => void }) {
  const { t } = useLingui();
  const { item, from } = props;
  const [sku, setSku] = useState(item?.sku ?? "");
  const [steps, setSteps] = useState<Draft[]>(() => from?.steps.map(draftOf) ?? [emptyDraft(0)]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const parts = useRequirements(useDeferredValue(sku.trim()));
  const components = (parts.data ?? []).filter((one) => one.level === 1);

  const change = (n: number, fields: Partial<Draft>) =>
    setSteps((old) => old.map((one) => (one.n === n ? { ...one, ...fields } : one)));
  /** A material goes in at one step: there, and no longer where it went in before. */
  const toggle = (n: number, material: string) =>
    setSteps((old) =>
      old.map((one) => {
        const without = one.materials.filter((each) => each !== material);
        return one.n === n && !one.materials.includes(material)
          ? { ...one, materials: [...without, material] }
          : { ...one, materials: without };
      }),
    );
  const move = (index: number, by: number) =>
    setSteps((old) => {
      const next = [...old];
      next.splice(index + by, 0, ...next.splice(index, 1));
      return next;
    });

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem(null);
    const form = new FormData(event.currentTarget);
    const p_steps = steps.map(({ step, work_centre, setup_min, run_min, materials, instructions }) => ({
      step,
      work_centre: work_centre || null,
      setup_min: Number(setup_min),
      run_min: Number(run_min),
      materials,
      instructions: instructions.trim() || null,
    }));
    const given = {
      p_sku: sku.trim(),
      p_steps,
      p_note: String(form.get("note")).trim() || null,
      p_activate: form.get("follow") !== null,
    };
    try {
      const answer = await command<RoutingChange>("save_routing", given as never);
      if (answer.state === "done") {
        const { routing } = answer.data;
        toast(
          "ok",
          routing.is_active
            ? t`${routing.sku}: version ${routing.version} is in force.`
            : t`${routing.sku}: version ${routing.version} is kept, and not in force.`,
        );
      }
      props.onClose();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      refetchStreams("routing");
    }
  }

  return (
    <Dialog
      open
      onClose={props.onClose}
      title={item ? t`New version for ${item.title}` : t`New routing`}
      note={t`Orders that are on the floor keep the steps they were released with.`}
    >
      <form onSubmit={save} className="flex flex-col gap-4">
        {!item && <ItemInput label={t`What is made (SKU)`} value={sku} onChange={setSku} />}
        <ol aria-label={t`Steps`} className="flex flex-col gap-3">
          {steps.map((one, index) => (
            <li key={one.n}>
              <StepFields
                of={one}
                number={index + 1}
                components={components}
                change={(fields) => change(one.n, fields)}
                toggle={(material) => toggle(one.n, material)}
                up={index > 0 ? () => move(index, -1) : null}
                down={index < steps.length - 1 ? () => move(index, 1) : null}
                remove={steps.length > 1 ? () => setSteps((old) => old.filter((each) => each.n !== one.n)) : null}
              />
            </li>
          ))}
        </ol>
        <Button onClick={() => setSteps((old) => [...old, emptyDraft(Math.max(...old.map((one) => one.n)) + 1)])}>
          <Plus aria-hidden className="size-5" /> <Trans>Add a step</Trans>
        </Button>
        <Input label={t`What is new`} name="note" maxLength={500} autoComplete="off" />
        <Switch
          label={t`Follow it from now on`}
          note={t`Off: it is kept, and somebody puts it in force later.`}
          name="follow"
          defaultChecked
        />
        <ProblemLine of={problem} />
        <Button look="primary" type="submit">
          <Trans>Keep</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
