import { Trans, useLingui } from "@lingui/react/macro";
import { CircleAlert, CircleCheck, CircleHelp, ScanBarcode } from "lucide-react";
import type { ReactNode } from "react";
import { CodeForm } from "@/features/workflows/scan/panel";
import { Button, LinkButton } from "@/ui/button";
import { BarCode } from "@/ui/codes";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { StatusBadge } from "../rows";
import { type Bench, FAIL_CODE, OK_CODE, type Said } from "./bench";

export interface Step {
  label: string;
  done: boolean;
}

/** What every bench shows: the next step large, what came of the last scan, the unit, and the way to type a code. */
export function BenchFrame(props: {
  bench: Bench;
  steps: Step[];
  ok: string;
  fail?: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  const { bench, steps } = props;
  const next = steps.find((one) => !one.done);
  return (
    <div className="grid gap-4 xl:grid-cols-[1fr_20rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <Steps steps={steps} current={next} />
        <div role="status" aria-live="polite">
          <Answer said={bench.said ?? { tone: "ask", title: next?.label ?? "" }} isNews={bench.said !== null} />
        </div>
        {bench.query.error && !bench.on && <Pending of={bench.query} />}
        {bench.on && (
          <Panel>
            <div className="mb-3 flex flex-wrap items-center gap-3">
              <span className="font-mono text-2xl font-bold">{bench.on.unit.sn}</span>
              <StatusBadge status={bench.on.unit.status} />
              <span className="min-w-0 flex-1 basis-40 text-lg">
                {bench.on.variant?.title ?? <Trans>No variant yet</Trans>}
              </span>
              <LinkButton to="/units/$sn" params={{ sn: bench.on.unit.sn }}>
                <Trans>Open the unit</Trans>
              </LinkButton>
              <Button look="quiet" onClick={bench.clear}>
                <Trans>Put it aside</Trans>
              </Button>
            </div>
            {props.children}
          </Panel>
        )}
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Panel className="p-0!">
          <CodeForm example="2611-GN-00001" />
        </Panel>
        {props.aside}
        <ButtonCodes ok={props.ok} fail={props.fail} />
      </div>
    </div>
  );
}

function Steps({ steps, current }: { steps: Step[]; current: Step | undefined }) {
  const { t } = useLingui();
  return (
    <ol aria-label={t`Steps`} className="flex flex-wrap gap-2">
      {steps.map((one, index) => (
        <li
          key={one.label}
          aria-current={one === current ? "step" : undefined}
          className={cx(
            "flex min-h-12 flex-1 basis-40 items-center gap-2 rounded-lg border-2 px-3",
            one === current ? "border-accent bg-accent-bg font-bold text-accent" : "border-line bg-panel text-soft",
          )}
        >
          {one.done ? <CircleCheck aria-label={t`Done`} className="shrink-0 text-ok" /> : <span>{index + 1}</span>}
          {one.label}
        </li>
      ))}
    </ol>
  );
}

const LOOKS = {
  ok: ["bg-ok-bg text-ok", CircleCheck],
  ask: ["bg-warn-bg text-warn", CircleHelp],
  bad: ["bg-bad-bg text-bad", CircleAlert],
} as const;

/** What came of the last scan or button, large; idle when there is no news. */
export function Answer({ said, isNews }: { said: Said; isNews: boolean }) {
  const [look, Icon] = isNews ? LOOKS[said.tone] : (["bg-sunk text-ink", ScanBarcode] as const);
  return (
    <div className={cx("rounded-xl p-4", look)} data-bench-tone={isNews ? said.tone : "idle"}>
      <div className="flex items-start gap-3">
        <Icon aria-hidden className="size-10 shrink-0" />
        <div className="min-w-0 flex-1">
          <p className="text-2xl leading-tight font-bold break-words">{said.title}</p>
          {said.text && <p className="mt-1 text-lg">{said.text}</p>}
        </div>
      </div>
      {said.expected !== undefined && said.actual !== undefined && (
        <dl className="mt-3 grid grid-cols-2 gap-2 text-ink">
          <div className="rounded-lg bg-panel p-2">
            <dt className="text-sm text-soft">
              <Trans>Expected</Trans>
            </dt>
            <dd className="font-semibold break-words">{said.expected}</dd>
          </div>
          <div className="rounded-lg bg-panel p-2">
            <dt className="text-sm text-soft">
              <Trans>Scanned</Trans>
            </dt>
            <dd className="font-mono font-semibold break-all">{said.actual}</dd>
          </div>
        </dl>
      )}
    </div>
  );
}

/** The buttons as codes: printed once and stuck to the bench, no hand leaves the scanner. */
export function ButtonCodes({ ok, fail }: { ok: string; fail?: string | undefined }) {
  const { t } = useLingui();
  return (
    <Panel title={<Trans>Instead of the buttons</Trans>}>
      <p className="mb-3 text-sm text-soft">
        <Trans>Print this page and stick the codes to the bench: then a scanner is enough.</Trans>
      </p>
      <ul className="flex flex-col gap-4">
        <li>
          <p className="mb-1 font-semibold">{ok}</p>
          <BarCode text={OK_CODE} label={t`Code for: ${ok}`} className="h-16 w-full" />
        </li>
        {fail && (
          <li>
            <p className="mb-1 font-semibold">{fail}</p>
            <BarCode text={FAIL_CODE} label={t`Code for: ${fail}`} className="h-16 w-full" />
          </li>
        )}
      </ul>
    </Panel>
  );
}
