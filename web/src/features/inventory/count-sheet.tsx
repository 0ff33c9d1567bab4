import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Circle, CircleCheck } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { takeScans } from "@/features/workflows/scan/state";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { giveStock } from "./act";
import { drafts, figureOf, forget, note } from "./drafts";
import { Keypad } from "./keypad";
import { scannedItem } from "./scan";
import type { CountLine } from "./types";

type Line = Pick<CountLine, "sku" | "title" | "uom">;

/** The sheet of whoever counts: scan or tap an item, type what is there. Nothing says what should be there. */
export function CountSheet({ count, lines }: { count: number; lines: CountLine[] }) {
  const { t } = useLingui();
  const sheet = useStore(drafts)[count] ?? {};
  const [current, setCurrent] = useState<Line | undefined>(lines.find((line) => !sheet[line.sku]));
  const listed = new Set(lines.map((line) => line.sku));
  const found: Line[] = Object.entries(sheet)
    .filter(([sku, figure]) => !listed.has(sku) && figure.title)
    .map(([sku, figure]) => ({ sku, title: figure.title ?? sku, uom: figure.uom ?? "" }));
  const all = [...lines, ...found];
  const done = all.filter((line) => sheet[line.sku]).length;
  const latest = useRef(lines);
  latest.current = lines;
  useEffect(
    () =>
      takeScans(async (code) => {
        const line = latest.current.find((one) => one.sku.toLowerCase() === code.trim().toLowerCase());
        const item = line ?? (await scannedItem(code));
        if (item) setCurrent(item);
        return item !== null;
      }),
    [],
  );

  function save(line: Line, counted: string) {
    const extra = listed.has(line.sku) ? {} : { title: line.title, uom: line.uom };
    note(count, line.sku, { counted, at: new Date().toISOString(), ...extra });
    const after = all.findIndex((one) => one.sku === line.sku) + 1;
    const rest = [...all.slice(after), ...all.slice(0, after)];
    setCurrent(rest.find((one) => one.sku !== line.sku && !sheet[one.sku]));
  }

  async function submit() {
    const p_lines = Object.entries(sheet).map(([sku, { counted, at }]) => ({
      sku,
      counted: Number(counted),
      counted_at: at,
    }));
    if (await giveStock("submit_count", { p_count_id: count, p_lines }, t`Submitted.`))
      forget(
        count,
        p_lines.map((line) => line.sku),
      );
  }

  return (
    <div className="grid items-start gap-4 md:grid-cols-[minmax(0,1fr)_22rem]">
      <Panel className="md:order-last" title={current ? current.title : <Trans>Everything is counted</Trans>}>
        {current ? (
          <FigureForm key={current.sku} line={current} before={sheet[current.sku]?.counted ?? ""} onSave={save} />
        ) : (
          <p className="text-soft">
            <Trans>Submit, or tap a line to change its figure.</Trans>
          </p>
        )}
      </Panel>
      <Panel
        title={<Trans>What to count</Trans>}
        tools={
          <span role="status">
            <Trans>
              {done} of {all.length} counted
            </Trans>
          </span>
        }
      >
        <ul aria-label={t`What to count`} className="flex flex-col divide-y divide-line">
          {all.map((line) => (
            <SheetRow
              key={line.sku}
              line={line}
              counted={sheet[line.sku]?.counted}
              isCurrent={current?.sku === line.sku}
              onPick={() => setCurrent(line)}
            />
          ))}
        </ul>
        <Button look="primary" className="mt-4 w-full" disabled={done === 0} onClick={() => void submit()}>
          <Plural value={done} one="Submit # figure" other="Submit # figures" />
        </Button>
      </Panel>
    </div>
  );
}

function SheetRow(props: { line: Line; counted: string | undefined; isCurrent: boolean; onPick: () => void }) {
  const { t } = useLingui();
  const { line, counted, isCurrent } = props;
  const Icon = counted === undefined ? Circle : CircleCheck;
  return (
    <li>
      <button
        type="button"
        aria-current={isCurrent || undefined}
        onClick={props.onPick}
        className={cx(
          "flex min-h-14 w-full items-center gap-3 rounded-lg px-2 text-left hover:bg-sunk",
          isCurrent && "bg-accent-bg",
        )}
      >
        <Icon aria-hidden className={cx("shrink-0", counted === undefined ? "text-soft" : "text-ok")} />
        <span className="min-w-0 flex-1">
          <span className="block font-semibold">{line.title}</span>
          <span className="font-mono text-sm text-soft">{line.sku}</span>
        </span>
        <span className="text-right font-semibold">
          {counted === undefined ? (
            <span className="font-normal text-soft">{t`to count`}</span>
          ) : (
            `${counted} ${line.uom}`
          )}
        </span>
      </button>
    </li>
  );
}

function FigureForm(props: { line: Line; before: string; onSave: (line: Line, counted: string) => void }) {
  const { t } = useLingui();
  const { line } = props;
  const [typed, setTyped] = useState(props.before);
  const [wrong, setWrong] = useState(false);
  function save(event: FormEvent) {
    event.preventDefault();
    const figure = figureOf(typed);
    setWrong(figure === null);
    if (figure !== null) props.onSave(line, figure);
  }
  return (
    <form onSubmit={save} className="flex flex-col gap-3">
      <p className="font-mono text-soft">{line.sku}</p>
      <Input
        label={t`How many (${line.uom}) are there?`}
        inputMode="none"
        autoComplete="off"
        autoFocus
        className="text-center text-3xl! font-bold"
        value={typed}
        error={wrong && t`Type a figure, 0 or more.`}
        onChange={(event) => setTyped(event.target.value)}
      />
      <Keypad value={typed} onChange={setTyped} />
      <Button look="primary" type="submit" className="h-16 text-xl">
        <Trans>Next</Trans>
      </Button>
    </form>
  );
}
