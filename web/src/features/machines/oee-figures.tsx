import { Trans, useLingui } from "@lingui/react/macro";
import { percent } from "@/features/production/words";
import { formatSpan } from "@/lib/time";
import { Bar } from "@/ui/charts/bar";
import { DataRow, DataTable } from "@/ui/charts/table";
import { cx } from "@/ui/cx";
import type { Inputs, LossRow, Ratios } from "./types";
import { type Step, waterfall } from "./waterfall";
import { factorName, lossName } from "./words";

/** OEE and its three factors. */
export function OeeFigures({ ratios }: { ratios: Ratios }) {
  const { t } = useLingui();
  const factors = [
    { name: "OEE", value: ratios.oee, note: t`of planned time, good pieces at best speed` },
    { name: factorName("availability"), value: ratios.availability, note: t`it ran while it should` },
    { name: factorName("performance"), value: ratios.performance, note: t`how fast, while it ran` },
    { name: factorName("quality"), value: ratios.quality, note: t`good at the first go` },
  ];
  return (
    <>
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4" aria-live="off">
        {factors.map(({ name, value, note }, index) => (
          <div
            key={name}
            className={cx(
              "flex flex-col rounded-2xl border p-3",
              index === 0 ? "border-accent bg-accent-bg" : "border-line bg-panel",
            )}
          >
            <dt className="text-sm text-soft">{name}</dt>
            <dd className="text-3xl font-bold" data-figure={name}>
              {percent(value)}
              <span className="block text-sm font-normal text-soft">{note}</span>
            </dd>
          </div>
        ))}
      </dl>
      {ratios.ideal_cycle_suspect && (
        <p role="status" className="rounded-lg bg-warn-bg p-3 text-warn">
          <Trans>Performance is above 105 %: the ideal cycle is too long. A planner sets it right.</Trans>
        </p>
      )}
    </>
  );
}

/** From planned time, loss by loss, to the time that good pieces needed: each row begins where the one before ended. */
export function Waterfall(props: { inputs: Inputs; ratios: Ratios; losses: LossRow[] }) {
  const { t } = useLingui();
  const { inputs } = props;
  const names: Record<string, string> = {
    planned: t`Planned time`,
    run: t`It ran`,
    ideal: t`Pieces at best speed`,
    good: t`Good pieces at best speed`,
    "other-availability": t`Other stops`,
    "other-performance": t`Other slowness`,
    "other-quality": t`Other quality`,
  };
  const nameOf = ({ key, loss }: Step) => (loss ? lossName(loss) : (names[key] ?? key));
  let left = inputs.planned_s;
  if (inputs.planned_s <= 0)
    return (
      <p className="text-soft">
        <Trans>No planned time, so there is nothing to compare with.</Trans>
      </p>
    );
  return (
    <DataTable label={t`From planned time to good pieces`} heads={[t`What`, "", t`Time`, t`Share`]}>
      {waterfall(inputs, props.ratios, props.losses).map((step) => {
        const isTotal = step.kind === "total";
        left = isTotal ? step.seconds : left - step.seconds;
        const sign = isTotal ? "" : step.seconds < 0 ? "+" : "−";
        return (
          <DataRow
            key={step.key}
            name={<span className={isTotal ? "font-bold" : "block pl-3 font-normal"}>{nameOf(step)}</span>}
            cells={[
              <Bar
                key="bar"
                className="min-w-40"
                max={inputs.planned_s}
                from={isTotal ? 0 : Math.max(0, left)}
                parts={[{ value: Math.abs(step.seconds), look: step.look }]}
              />,
              <span key="time" className={cx("whitespace-nowrap", isTotal && "font-bold")}>
                {sign}
                {formatSpan(Math.abs(step.seconds))}
              </span>,
              <span key="share" className={isTotal ? "font-bold" : ""}>
                {percent(step.seconds / inputs.planned_s)}
              </span>,
            ]}
          />
        );
      })}
    </DataTable>
  );
}
