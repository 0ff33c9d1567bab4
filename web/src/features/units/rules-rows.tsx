import { Trans, useLingui } from "@lingui/react/macro";
import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import type { Limit, RequiredTest } from "./types";

const put = <T,>(list: T[], index: number, value: T | null): T[] =>
  value === null ? list.filter((_, at) => at !== index) : list.map((one, at) => (at === index ? value : one));

/** The tests that must have passed, each with the limits of what it measures. */
export function TestRows({ tests, onChange }: { tests: RequiredTest[]; onChange: (tests: RequiredTest[]) => void }) {
  const { t } = useLingui();
  return (
    <fieldset className="flex flex-col gap-3 rounded-xl border border-line p-3">
      <legend className="px-1 font-semibold">
        <Trans>Tests that must have passed</Trans>
      </legend>
      {tests.map((test, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name of their own while they are typed
        <div key={index} className="flex flex-col gap-2 rounded-lg bg-sunk p-2">
          <div className="flex items-end gap-2">
            <Input
              label={t`Test ${index + 1}`}
              value={test.test}
              pattern="[a-z][a-z0-9_\-]*"
              autoComplete="off"
              onChange={(event) => onChange(put(tests, index, { ...test, test: event.target.value }))}
            />
            <Button aria-label={t`Remove test ${index + 1}`} onClick={() => onChange(put(tests, index, null))}>
              <Trash2 aria-hidden />
            </Button>
          </div>
          <LimitRows
            of={test.test || t`Test ${index + 1}`}
            limits={test.limits}
            onChange={(limits) => onChange(put(tests, index, { ...test, limits }))}
          />
        </div>
      ))}
      <Button className="self-start" onClick={() => onChange([...tests, { test: "", limits: {} }])}>
        <Plus aria-hidden className="size-5" /> <Trans>Add a test</Trans>
      </Button>
    </fieldset>
  );
}

interface LimitRow {
  metric: string;
  min: string;
  max: string;
  unit: string;
}
const textOf = (value: number | undefined) => (value === undefined ? "" : String(value));

function LimitRows(props: {
  of: string;
  limits: Record<string, Limit>;
  onChange: (limits: Record<string, Limit>) => void;
}) {
  const { t } = useLingui();
  const [rows, setRows] = useState<LimitRow[]>(
    Object.entries(props.limits).map(([metric, { min, max, unit }]) => ({
      metric,
      min: textOf(min),
      max: textOf(max),
      unit: unit ?? "",
    })),
  );
  function set(next: LimitRow[]) {
    setRows(next);
    const limits = next.flatMap(({ metric, min, max, unit }) => {
      if (!metric) return [];
      return [[metric, { ...(min && { min: Number(min) }), ...(max && { max: Number(max) }), ...(unit && { unit }) }]];
    });
    props.onChange(Object.fromEntries(limits));
  }
  const fields: [keyof LimitRow, string, string][] = [
    ["metric", t`Measures`, "text"],
    ["min", t`At least`, "number"],
    ["max", t`At most`, "number"],
    ["unit", t`Unit`, "text"],
  ];
  return (
    <>
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name of their own while they are typed
        <div key={index} className="grid grid-cols-[1fr_1fr_1fr_4.5rem_3rem] items-end gap-2">
          {fields.map(([name, label, type]) => (
            <Input
              key={name}
              label={label}
              type={type}
              step="any"
              autoComplete="off"
              value={row[name]}
              onChange={(event) => set(put(rows, index, { ...row, [name]: event.target.value }))}
            />
          ))}
          <Button
            className="px-0"
            aria-label={t`Remove ${row.metric || t`limit ${index + 1}`} of ${props.of}`}
            onClick={() => set(put(rows, index, null))}
          >
            <Trash2 aria-hidden />
          </Button>
        </div>
      ))}
      <Button className="self-start" onClick={() => setRows([...rows, { metric: "", min: "", max: "", unit: "" }])}>
        <Plus aria-hidden className="size-5" /> <Trans>Add a limit to {props.of}</Trans>
      </Button>
    </>
  );
}

type Part = { sku: string; quantity: number };

/** The parts that must be in it. */
export function ComponentRows({ parts, onChange }: { parts: Part[]; onChange: (parts: Part[]) => void }) {
  const { t } = useLingui();
  return (
    <fieldset className="flex flex-col gap-3 rounded-xl border border-line p-3">
      <legend className="px-1 font-semibold">
        <Trans>Parts that must be in it</Trans>
      </legend>
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name of their own while they are typed
        <div key={index} className="grid grid-cols-[1fr_6rem_3rem] items-end gap-2">
          <Input
            label={t`Item (SKU)`}
            value={part.sku}
            autoComplete="off"
            onChange={(event) => onChange(put(parts, index, { ...part, sku: event.target.value }))}
          />
          <Input
            label={t`Quantity`}
            type="number"
            min={0.001}
            step="any"
            value={part.quantity}
            onChange={(event) => onChange(put(parts, index, { ...part, quantity: Number(event.target.value) }))}
          />
          <Button
            className="px-0"
            aria-label={t`Remove part ${part.sku || index + 1}`}
            onClick={() => onChange(put(parts, index, null))}
          >
            <Trash2 aria-hidden />
          </Button>
        </div>
      ))}
      <Button className="self-start" onClick={() => onChange([...parts, { sku: "", quantity: 1 }])}>
        <Plus aria-hidden className="size-5" /> <Trans>Add a part</Trans>
      </Button>
    </fieldset>
  );
}
