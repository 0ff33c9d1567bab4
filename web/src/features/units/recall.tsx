import { Trans, useLingui } from "@lingui/react/macro";
import { Hand } from "lucide-react";
import { useEffect, useState } from "react";
import { useZone } from "@/features/core/queries";
import { takeScans } from "@/features/workflows/scan/state";
import { explain } from "@/lib/messages";
import { RpcError } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber, instantOf } from "@/lib/time";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { ExportButton } from "./export";
import { Framed } from "./frame";
import { Entry } from "./genealogy";
import { HoldAllDialog } from "./hold-all";
import { traceArgs, useFilter, useTrace } from "./queries";
import { Recalls } from "./recalls";
import { TraceForm } from "./trace-form";
import type { TraceResult } from "./types";
import { kindsName, statusName } from "./words";

const TABS = ["unit", "order", "box", "pallet", "production_order", "lot", "serial"] as const;

/** One scan: what is affected and who has it; then hold it all, and take the list away. */
export function RecallPage() {
  const { t } = useLingui();
  const [filter, change] = useFilter();
  const zone = useZone();
  const { q: _, status: _s, variant: _v, tab, sn: _sn, ...query } = filter;
  const given = traceArgs(query, (day, isEnd) => instantOf(day, isEnd, zone));
  const trace = Object.keys(given).length > 0 ? given : null;
  const found = useTrace(trace);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was asked before is replaced as a whole
  useEffect(
    () =>
      takeScans(async (code) => {
        change({ ...EMPTY, key: code });
        return true;
      }),
    [],
  );
  return (
    <Framed current="recall">
      <Panel title={<Trans>What is wrong?</Trans>}>
        <TraceForm key={JSON.stringify(query)} query={query} onTrace={(next) => change({ ...EMPTY, ...next })} />
      </Panel>
      {trace === null && (
        <Empty>{t`Scan or type a lot, a serial or an item: here stands what it is in, and who has it.`}</Empty>
      )}
      {trace === null && <Recalls onTrace={(next) => change({ ...EMPTY, ...next })} />}
      {trace && <Outcome found={found} onChoose={(next) => change({ ...EMPTY, ...next })} />}
      {trace && found.data && (
        <Affected trace={trace} result={found.data} tab={tab} onTab={(next) => change({ tab: next })} />
      )}
    </Framed>
  );
}

export const EMPTY = {
  key: undefined,
  kind: undefined,
  sku: undefined,
  first: undefined,
  last: undefined,
  since: undefined,
  until: undefined,
  tab: undefined,
};

/** Nothing known, several things of that name, or on its way. */
function Outcome(props: {
  found: ReturnType<typeof useTrace>;
  onChoose: (next: { key: string; kind: string; sku: string | undefined }) => void;
}) {
  const { error, data } = props.found;
  if (data) return null;
  if (!(error instanceof RpcError) || error.hint !== "trace.ambiguous") return <Pending of={props.found} />;
  const key = String(error.details.key);
  const candidates = (error.details.candidates ?? []) as { kind: string; key: string; sku: string | null }[];
  return (
    <Panel title={explain(error)}>
      <ul className="flex flex-wrap gap-2">
        {candidates.map((one) => (
          <li key={`${one.kind} ${one.sku}`}>
            <Button look="primary" onClick={() => props.onChoose({ key, kind: one.kind, sku: one.sku ?? undefined })}>
              {kindsName(one.kind)} {[one.sku, one.key].filter(Boolean).join(" ")}
            </Button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Affected(props: {
  trace: Record<string, string>;
  result: TraceResult;
  tab: (typeof TABS)[number] | undefined;
  onTab: (tab: (typeof TABS)[number]) => void;
}) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { trace, result } = props;
  const [holding, setHolding] = useState(false);
  const count = (kind: string) => Number(result.counts[kind] ?? 0);
  const shown = TABS.filter((kind) => kind === "unit" || count(kind) > 0);
  const tab = shown.find((kind) => kind === props.tab) ?? "unit";
  const entries = result.entries.filter((one) => one.kind === tab);
  const states = Object.entries((result.counts.status ?? {}) as Record<string, number>);
  const facts: [string, number][] = [
    [t`Units`, count("unit")],
    [t`Boxes`, count("box")],
    [t`Customer orders`, count("customer_orders")],
  ];
  const mayRecall = may(who, "units.recall");
  return (
    <Panel title={<Trans>Affected</Trans>}>
      <ul aria-label={t`How much is affected`} className="grid grid-cols-3 gap-2">
        {facts.map(([name, number]) => (
          <li key={name} className="rounded-xl bg-sunk p-3 text-center">
            <span className="block text-3xl font-bold tabular-nums">{formatNumber(number)}</span>
            <span className="text-soft">{name}</span>
          </li>
        ))}
      </ul>
      <p className="my-3 text-soft">
        {states.map(([status, n]) => `${statusName(status)}: ${formatNumber(n)}`).join(" · ")}
      </p>
      <div className="mb-4 flex flex-wrap items-center gap-2">
        {mayRecall && (
          <>
            <Button
              look="danger"
              className="min-h-14 text-lg"
              disabled={count("unit") + count("lot") === 0}
              onClick={() => setHolding(true)}
            >
              <Hand aria-hidden /> <Trans>Hold all</Trans>
            </Button>
            <ExportButton trace={trace} />
          </>
        )}
        {!mayRecall && (
          <p className="text-soft">
            <Trans>Your role looks; a supervisor holds and exports.</Trans>
          </p>
        )}
      </div>
      <fieldset aria-label={t`What is affected`} className="mb-2 flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
        {shown.map((kind) => (
          <button
            key={kind}
            type="button"
            aria-pressed={kind === tab}
            onClick={() => props.onTab(kind)}
            className={cx(
              "min-h-12 rounded-lg px-4",
              kind === tab ? "bg-panel font-semibold shadow" : "text-soft hover:bg-panel",
            )}
          >
            {kindsName(kind)} ({formatNumber(count(kind))})
          </button>
        ))}
      </fieldset>
      <section aria-label={kindsName(tab)}>
        {entries.length === 0 && <Empty>{t`None.`}</Empty>}
        <ul aria-label={kindsName(tab)} className="divide-y divide-line">
          {entries.map((entry) => (
            <Entry key={entry.node} entry={entry} />
          ))}
        </ul>
        {entries.length < count(tab) && (
          <p className="mt-2 text-soft">
            <Trans>
              The first {formatNumber(entries.length)} of {formatNumber(count(tab))}. The export has them all.
            </Trans>
          </p>
        )}
      </section>
      {holding && <HoldAllDialog trace={trace} result={result} onClose={() => setHolding(false)} />}
    </Panel>
  );
}
