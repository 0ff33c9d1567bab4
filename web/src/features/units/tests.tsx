import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, CircleX } from "lucide-react";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { Plot, PlotKey } from "./plot";
import { useTestHistory } from "./queries";
import type { Measurement, TestRun, UnitDetail } from "./types";
import { limitWords, resultName } from "./words";

/** The tests of a unit: each run with what it measured, and where that lies among the last 50. */
export function Tests({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const [all, setAll] = useState(false);
  const { tests, unit } = detail;
  const newest = tests[0];
  return (
    <Panel title={<Trans>Tests</Trans>}>
      {!newest && <Empty>{t`It was not tested yet.`}</Empty>}
      <ol aria-label={t`Test runs`} className="flex flex-col divide-y divide-line">
        {tests.slice(0, all ? undefined : 1).map((run) => (
          <Run key={run.id} run={run} isOld={run.build_no !== unit.build_no} />
        ))}
      </ol>
      {tests.length > 1 && (
        <Button className="mt-2" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? <Trans>Only the latest</Trans> : <Trans>All {tests.length} runs</Trans>}
        </Button>
      )}
      {newest && <Plots test={newest.test} variant={unit.variant_code} sn={unit.sn} />}
    </Panel>
  );
}

function Run({ run, isOld }: { run: TestRun; isOld: boolean }) {
  const zone = useZone();
  const passed = run.result === "PASS";
  const Icon = passed ? CircleCheck : CircleX;
  return (
    <li className="py-3">
      <p className="flex flex-wrap items-center gap-2">
        <Badge tone={passed ? "ok" : "bad"} icon={<Icon aria-hidden />}>
          {resultName(run.result)}
        </Badge>
        <span className="font-semibold">{run.test}</span>
        <span className="text-sm text-soft">
          {[formatInstant(run.at, zone), run.actor_name, run.station].filter(Boolean).join(" · ")}
        </span>
        {isOld && (
          <Badge tone="warn">
            <Trans>Before it was changed: does not count</Trans>
          </Badge>
        )}
        {run.claimed !== run.result && (
          <Badge tone="warn">
            <Trans>The fixture said passed; it breaks a limit</Trans>
          </Badge>
        )}
      </p>
      <Measurements list={run.measurements} />
    </li>
  );
}

function Measurements({ list }: { list: Measurement[] }) {
  const { t } = useLingui();
  if (list.length === 0) return null;
  return (
    <ul aria-label={t`Measurements`} className="mt-2 grid gap-x-6 sm:grid-cols-2">
      {list.map((one) => (
        <li key={one.metric} className="flex flex-wrap items-baseline gap-x-2 py-1">
          <span className="font-mono">{one.metric}</span>
          <span className="font-semibold tabular-nums">
            {one.value === null ? <Trans>not measured</Trans> : formatNumber(one.value)} {one.unit}
          </span>
          <span className="text-sm text-soft">{limitWords(one.low, one.high, one.unit)}</span>
          {!one.is_pass && (
            <Badge tone="bad" icon={<CircleX aria-hidden />}>
              <Trans>Outside</Trans>
            </Badge>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Every metric of a test over its last 50 runs. */
export function Plots({ test, variant, sn }: { test: string; variant: string | null; sn?: string }) {
  const history = useTestHistory(test, variant);
  if (!history.data) return <Pending of={history} />;
  const metrics = [...new Set(history.data.map((one) => one.metric).filter((one) => one !== null))].sort();
  if (metrics.length === 0) return null;
  return (
    <div className="mt-3 flex flex-col gap-3 border-t border-line pt-3">
      <div className="flex flex-wrap items-center gap-4">
        <p className="font-semibold">
          <Trans>The last 50 tests “{test}”</Trans>
        </p>
        <PlotKey ofUnit={sn !== undefined} />
      </div>
      {metrics.map((metric) => (
        <Plot
          key={metric}
          metric={metric}
          points={history.data.filter((one) => one.metric === metric)}
          {...(sn === undefined ? {} : { sn })}
        />
      ))}
    </div>
  );
}
