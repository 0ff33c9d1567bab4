import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { explain } from "@/lib/messages";
import { rememberedStore, useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { FIELD_NAMES, type Field, fieldName, type Mapping, mapped, propose, twice } from "./import-columns";
import { ImportReport, type Sheet } from "./import-report";
import { type Run, useImport } from "./import-run";

/** The name of the system that orders come from. */
const system = rememberedStore<string>("takt.import-system", "erp");

/** What the columns mean, what the rows would do, and doing it. */
export function ImportMap({ sheet, onDone }: { sheet: Sheet; onDone: () => void }) {
  const { t } = useLingui();
  const name = useStore(system);
  const [mapping, setMapping] = useState<Mapping>(() => propose(sheet.columns));
  const { run, begin, goOn, stop, forget } = useImport();
  const doubled = twice(mapping);
  const hasId = Object.values(mapping).includes("external_id");
  const isRunning = run?.state === "running";
  const isReady = hasId && doubled.length === 0 && name.trim() !== "";
  const rows = () => mapped(sheet.rows, mapping);
  const wasTried = run?.what === "try" && run.state === "done";
  const isImported = run?.what === "import";
  const fine = wasTried ? run.rows.filter((one) => one.ok).length : 0;
  return (
    <>
      <Panel
        title={sheet.name}
        tools={
          <Button disabled={isRunning} onClick={onDone}>
            {isImported && run.state === "done" ? <Trans>Another file</Trans> : <Trans>Put it aside</Trans>}
          </Button>
        }
      >
        <div className="mb-4 max-w-72">
          <Input
            label={t`System that they come from`}
            note={t`Always the same name for the same system: by it its orders are known again.`}
            value={name}
            maxLength={60}
            required
            disabled={isRunning || isImported}
            onChange={(event) => {
              system.set(event.target.value);
              forget();
            }}
          />
        </div>
        <Columns
          sheet={sheet}
          mapping={mapping}
          disabled={isRunning || isImported}
          change={(column, field) => {
            setMapping((old) => ({ ...old, [column]: field }));
            forget();
          }}
        />
        {!hasId && (
          <p role="alert" className="mt-3 font-medium text-bad">
            <Trans>Choose the column with their number in that system: without it no order is known again.</Trans>
          </p>
        )}
        {doubled.map((field) => (
          <p key={field} role="alert" className="mt-3 font-medium text-bad">
            <Trans>Two columns go into “{fieldName(field)}”. Leave one out.</Trans>
          </p>
        ))}
        {!isImported && (
          <div className="mt-4 flex flex-wrap gap-2">
            <Button
              look={wasTried ? "plain" : "primary"}
              disabled={!isReady || isRunning}
              onClick={() => void begin("try", name.trim(), rows())}
            >
              <Trans>See what would happen</Trans>
            </Button>
            {wasTried && fine > 0 && (
              <Button look="primary" onClick={() => void begin("import", name.trim(), rows())}>
                <Plural value={fine} one="Import # row" other="Import # rows" />
              </Button>
            )}
          </div>
        )}
      </Panel>
      {run && (
        <Panel title={run.what === "try" ? <Trans>What would happen</Trans> : <Trans>What happened</Trans>}>
          <Progress run={run} stop={stop} goOn={() => void goOn(name.trim(), rows())} />
          <ImportReport sheet={sheet} rows={run.rows} />
        </Panel>
      )}
    </>
  );
}

function Columns(props: {
  sheet: Sheet;
  mapping: Mapping;
  disabled: boolean;
  change: (column: string, field: Field | undefined) => void;
}) {
  const { t } = useLingui();
  const { sheet, mapping } = props;
  return (
    <fieldset>
      <legend className="mb-2 text-lg font-semibold">
        <Trans>What the columns mean</Trans>
      </legend>
      <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
        {sheet.columns.map((column) => {
          const example = sheet.rows.find((row) => row[column])?.[column] ?? "";
          return (
            <li key={column}>
              <Select
                label={column}
                note={example && t`For example: ${example.slice(0, 60)}`}
                value={mapping[column] ?? ""}
                disabled={props.disabled}
                onChange={(event) => props.change(column, (event.target.value || undefined) as Field | undefined)}
              >
                <option value="">{t`Leave it out`}</option>
                {FIELD_NAMES.map((field) => (
                  <option key={field} value={field}>
                    {fieldName(field)}
                  </option>
                ))}
              </Select>
            </li>
          );
        })}
      </ul>
    </fieldset>
  );
}

function Progress({ run, stop, goOn }: { run: Run; stop: () => void; goOn: () => void }) {
  const { t } = useLingui();
  const [done, total] = [formatNumber(run.rows.length), formatNumber(run.total)];
  return (
    <div className="mb-3 flex flex-col gap-2">
      <p role="status" className="font-medium">
        {run.state === "done" ? (
          run.what === "try" ? (
            <Trans>{total} rows were tried. Nothing is changed yet.</Trans>
          ) : (
            <Trans>Done: {total} rows.</Trans>
          )
        ) : (
          <Trans>
            {done} of {total} rows
          </Trans>
        )}
      </p>
      {run.state !== "done" && (
        <progress className="h-4 w-full" max={run.total} value={run.rows.length} aria-label={t`Rows that are done`} />
      )}
      {run.state === "running" && (
        <Button className="self-start" onClick={stop}>
          <Trans>Stop</Trans>
        </Button>
      )}
      {run.state === "failed" && (
        <p role="alert" className="font-medium text-bad">
          {explain(run.error)}
        </p>
      )}
      {(run.state === "failed" || run.state === "stopped") && (
        <Button look="primary" className="self-start" onClick={goOn}>
          <Trans>Go on from here</Trans>
        </Button>
      )}
    </div>
  );
}
