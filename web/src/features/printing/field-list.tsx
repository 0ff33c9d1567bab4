import { Trans, useLingui } from "@lingui/react/macro";
import { ArrowDown, ArrowUp, Trash2 } from "lucide-react";
import { Button } from "@/ui/button";
import { Input, Select, Switch } from "@/ui/field";
import { FIELD_KEYS, FIELD_KINDS, type FieldKind, type LabelField, newField } from "./types";

/** The fields of a template, each a small form; the later ones are drawn over the earlier ones. */
export function FieldList(props: {
  fields: LabelField[];
  onChange: (fields: LabelField[]) => void;
  mayManage: boolean;
}) {
  const { t } = useLingui();
  const { fields, onChange, mayManage } = props;
  const kinds = useKinds();
  const set = (place: number, field: LabelField) => onChange(fields.map((old, n) => (n === place ? field : old)));
  const move = (place: number, by: number) => {
    const copy = [...fields];
    const [taken] = copy.splice(place, 1);
    if (taken) copy.splice(place + by, 0, taken);
    onChange(copy);
  };
  return (
    <section aria-label={t`Fields`} className="mt-4 flex flex-col gap-3">
      {fields.map((field, place) => (
        <fieldset
          // biome-ignore lint/suspicious/noArrayIndexKey: fields have no identity but their place
          key={place}
          disabled={!mayManage}
          className="rounded-xl border border-line p-3"
        >
          <legend className="px-1 font-semibold">{kinds[field.kind]}</legend>
          <FieldForm field={field} onChange={(changed) => set(place, changed)} />
          {mayManage && (
            <div className="mt-2 flex gap-2">
              <Button aria-label={t`Further back`} disabled={place === 0} onClick={() => move(place, -1)}>
                <ArrowUp aria-hidden className="size-5" />
              </Button>
              <Button
                aria-label={t`Further to the front`}
                disabled={place === fields.length - 1}
                onClick={() => move(place, 1)}
              >
                <ArrowDown aria-hidden className="size-5" />
              </Button>
              <Button
                look="danger"
                className="ml-auto"
                onClick={() => onChange(fields.filter((_, other) => other !== place))}
              >
                <Trash2 aria-hidden className="size-5" /> <Trans>Remove</Trans>
              </Button>
            </div>
          )}
        </fieldset>
      ))}
      {mayManage && (
        <div className="flex flex-wrap gap-2">
          {FIELD_KINDS.filter((kind) => kind !== "image").map((kind) => (
            <Button key={kind} onClick={() => onChange([...fields, newField(kind)])}>
              + {kinds[kind]}
            </Button>
          ))}
        </div>
      )}
    </section>
  );
}

function useKinds(): Record<FieldKind, string> {
  const { t } = useLingui();
  return { text: t`Text`, code128: "Code 128", qr: "QR", datamatrix: "DataMatrix", box: t`Box`, image: t`Picture` };
}

const VARIABLE = "{{order_number}}";
const FRACTIONS = new Set<keyof LabelField>(["x", "y", "w", "h", "module_mm", "line_mm"]);

function FieldForm({ field, onChange }: { field: LabelField; onChange: (field: LabelField) => void }) {
  const { t } = useLingui();
  const names: Partial<Record<keyof LabelField, string>> = {
    value: t`What it says; a variable looks like ${VARIABLE}`,
    x: t`From the left (mm)`,
    y: t`From the top (mm)`,
    w: t`Width (mm)`,
    h: field.kind === "text" ? t`Line height (mm)` : t`Height (mm)`,
    lines: t`Lines`,
    module_mm: t`Module (mm)`,
    line_mm: t`Line (mm)`,
    align: t`Place in its width`,
    overflow: t`When it is too long`,
    bold: t`Bold`,
    text: t`Say the code below the bars`,
  };
  const choices: Partial<Record<keyof LabelField, [string, string][]>> = {
    align: [
      ["left", t`Left`],
      ["center", t`Middle`],
      ["right", t`Right`],
    ],
    overflow: [
      ["shrink", t`Write it smaller`],
      ["cut", t`Cut it off`],
      ["refuse", t`Refuse to print`],
    ],
  };
  const change = (key: keyof LabelField, value: unknown) => {
    const { [key]: _, ...rest } = field;
    onChange((value === "" || Number.isNaN(value) ? rest : { ...rest, [key]: value }) as LabelField);
  };
  return (
    <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
      {FIELD_KEYS[field.kind].map((key) => {
        const label = names[key] ?? key;
        if (key === "bold" || key === "text") {
          return (
            <Switch
              key={key}
              label={label}
              checked={Boolean(field[key])}
              onChange={(event) => change(key, event.target.checked)}
            />
          );
        }
        if (choices[key]) {
          return (
            <Select
              key={key}
              label={label}
              value={String(field[key] ?? choices[key][0]?.[0])}
              onChange={(event) => change(key, event.target.value)}
            >
              {choices[key].map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </Select>
          );
        }
        const isText = key === "value";
        return (
          <div key={key} className={isText ? "col-span-full" : undefined}>
            <Input
              label={label}
              type={isText ? "text" : "number"}
              step={FRACTIONS.has(key) ? "any" : "1"}
              value={String(field[key] ?? "")}
              onChange={(event) => change(key, isText ? event.target.value : event.target.valueAsNumber)}
            />
          </div>
        );
      })}
    </div>
  );
}
