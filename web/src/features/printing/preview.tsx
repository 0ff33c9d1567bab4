import { Trans, useLingui } from "@lingui/react/macro";
import { useDeferredValue, useState } from "react";
import { explain } from "@/lib/messages";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { LabelPicture } from "./label-picture";
import { usePreview } from "./queries";
import { type LabelField, sampleData, variablesOf } from "./types";

/** The label as it would come out, while it is edited, with data that can be typed. */
export function Preview({ fields, width, height }: { fields: LabelField[]; width: number; height: number }) {
  const { t } = useLingui();
  const [dpi, setDpi] = useState(203);
  const [typed, setTyped] = useState<Record<string, string>>({});
  const variables = variablesOf(fields);
  const shape = useDeferredValue({ fields, width, height, dpi });
  const sample = sampleData(variables);
  const data = Object.fromEntries(variables.map((name) => [name, typed[name] ?? sample[name]]));
  const preview = usePreview(shape, useDeferredValue(data));
  return (
    <Panel title={<Trans>Preview</Trans>} className="self-start">
      <div className="flex flex-col gap-3">
        <Select label={t`Resolution`} value={dpi} onChange={(event) => setDpi(Number(event.target.value))}>
          {[203, 300, 600].map((one) => (
            <option key={one} value={one}>
              {one} dpi
            </option>
          ))}
        </Select>
        {preview.data && !preview.error && (
          <LabelPicture zpl={preview.data} widthMm={width} heightMm={height} dpi={dpi} label={t`The label`} />
        )}
        {preview.error && fields.length > 0 && (
          <p role="alert" className="rounded-lg bg-bad-bg p-3 font-medium text-bad">
            {explain(preview.error)}
          </p>
        )}
        {fields.length === 0 && (
          <p className="text-soft">
            <Trans>Add a field to see the label.</Trans>
          </p>
        )}
        {variables.map((name) => (
          <Input
            key={name}
            label={name}
            value={data[name]}
            onChange={(event) => setTyped((old) => ({ ...old, [name]: event.target.value }))}
          />
        ))}
      </div>
    </Panel>
  );
}
