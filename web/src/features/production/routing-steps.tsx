import { Trans, useLingui } from "@lingui/react/macro";
import { ArrowDown, ArrowUp, Check, Trash2 } from "lucide-react";
import { Button } from "@/ui/button";
import { Input, Select, TextArea } from "@/ui/field";
import { useCentres, useProcessSteps } from "./queries";
import type { RoutingStep } from "./routing-types";

/** A step while it is being written; figures as they are typed. */
export interface Draft {
  n: number;
  step: string;
  work_centre: string;
  setup_min: string;
  run_min: string;
  materials: string[];
  instructions: string;
}

export const emptyDraft = (n: number): Draft => ({
  n,
  step: "",
  work_centre: "",
  setup_min: "0",
  run_min: "0",
  materials: [],
  instructions: "",
});
export const draftOf = (one: RoutingStep, n: number): Draft => ({
  n,
  step: one.step,
  work_centre: one.work_centre ?? "",
  setup_min: String(Number(one.setup_min)),
  run_min: String(Number(one.run_min)),
  materials: one.materials.map(({ sku }) => sku),
  instructions: one.instructions ?? "",
});

interface Props {
  of: Draft;
  number: number;
  /** What the item is made of. */
  components: { sku: string; title: string }[];
  change: (fields: Partial<Draft>) => void;
  toggle: (material: string) => void;
  up: (() => void) | null;
  down: (() => void) | null;
  remove: (() => void) | null;
}

export function StepFields({ of, number, components, change, toggle, ...way }: Props) {
  const { t } = useLingui();
  const steps = useProcessSteps();
  const centres = useCentres();
  const able = centres.data?.filter((one) => one.step === of.step && one.is_active) ?? [];
  const title = steps.data?.find((one) => one.code === of.step)?.title ?? t`New step`;
  const named = components.map(({ sku }) => sku);
  const others = of.materials.filter((sku) => !named.includes(sku)).map((sku) => ({ sku, title: "" }));
  const minutes = { type: "number", inputMode: "decimal", min: 0, step: "any", required: true } as const;
  return (
    <fieldset className="grid grid-cols-2 gap-2 rounded-xl border border-line p-3">
      <legend className="px-1 font-semibold">
        {number}. {title}
      </legend>
      <Select
        label={t`Kind of work`}
        required
        value={of.step}
        onChange={(event) => change({ step: event.target.value, work_centre: "" })}
      >
        <option value="">{t`Choose one`}</option>
        {steps.data?.map((one) => (
          <option key={one.code} value={one.code}>
            {one.title}
          </option>
        ))}
      </Select>
      <Select
        label={t`Work centre`}
        value={of.work_centre}
        onChange={(event) => change({ work_centre: event.target.value })}
      >
        <option value="">{t`Any that does it`}</option>
        {able.map((one) => (
          <option key={one.code} value={one.code}>
            {one.title}
          </option>
        ))}
      </Select>
      <Input
        label={t`Setting up (minutes)`}
        {...minutes}
        value={of.setup_min}
        onChange={(event) => change({ setup_min: event.target.value })}
      />
      <Input
        label={t`Each piece (minutes)`}
        {...minutes}
        value={of.run_min}
        onChange={(event) => change({ run_min: event.target.value })}
      />
      <div className="col-span-2">
        <p className="mb-1 text-sm font-medium text-soft">
          <Trans>What goes in here</Trans>
        </p>
        {components.length + others.length === 0 && (
          <p className="text-sm text-soft">
            <Trans>It has no parts yet; its page in the stock says what it is made of.</Trans>
          </p>
        )}
        <div className="flex flex-wrap gap-2">
          {[...components, ...others].map((one) => {
            const isIn = of.materials.includes(one.sku);
            return (
              <Button
                key={one.sku}
                aria-pressed={isIn}
                look={isIn ? "primary" : "plain"}
                onClick={() => toggle(one.sku)}
              >
                {isIn && <Check aria-hidden className="size-5" />} {one.title}{" "}
                <span className="font-mono">{one.sku}</span>
              </Button>
            );
          })}
        </div>
      </div>
      <div className="col-span-2">
        <TextArea
          label={t`Instructions for the bench`}
          maxLength={2000}
          rows={2}
          value={of.instructions}
          onChange={(event) => change({ instructions: event.target.value })}
        />
      </div>
      <div className="col-span-2 flex gap-2">
        <Button aria-label={t`Step ${number}: earlier`} disabled={!way.up} onClick={() => way.up?.()}>
          <ArrowUp aria-hidden />
        </Button>
        <Button aria-label={t`Step ${number}: later`} disabled={!way.down} onClick={() => way.down?.()}>
          <ArrowDown aria-hidden />
        </Button>
        <Button
          look="quiet"
          className="ml-auto"
          aria-label={t`Remove step ${number}`}
          disabled={!way.remove}
          onClick={() => way.remove?.()}
        >
          <Trash2 aria-hidden className="size-5" />
        </Button>
      </div>
    </fieldset>
  );
}
