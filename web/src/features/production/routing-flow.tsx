import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { Flow } from "./flow";
import type { RoutingStep } from "./routing-types";

/** The steps of a routing in their order: where, how long, and what goes in. */
export function RoutingFlow({ steps }: { steps: RoutingStep[] }) {
  const { t } = useLingui();
  return <Flow label={t`Steps`} of={steps} keyOf={(one) => one.sequence} show={(one) => <Step of={one} />} />;
}

function Step({ of }: { of: RoutingStep }) {
  const setup = Number(of.setup_min);
  const run = Number(of.run_min);
  return (
    <div className="flex min-w-0 flex-1 flex-col gap-1 rounded-xl border-2 border-line p-3">
      <h3 className="font-semibold">{of.title}</h3>
      <p className="text-sm text-soft">
        {of.work_centre ? (
          <>
            {of.work_centre_title} <span className="font-mono">{of.work_centre}</span>
          </>
        ) : (
          <Trans>Any work centre that does it</Trans>
        )}
      </p>
      <p className="text-sm">
        {setup > 0 && (
          <>
            <Trans>Setting up: {formatNumber(setup)} min</Trans>
            {" · "}
          </>
        )}
        {run > 0 ? (
          <Trans>{formatNumber(run)} min for each piece</Trans>
        ) : (
          <span className="text-soft">
            <Trans>No time is known</Trans>
          </span>
        )}
      </p>
      {of.materials.length > 0 && (
        <div className="text-sm">
          <p className="text-soft">
            <Plural value={of.materials.length} one="Goes in here:" other="Go in here:" />
          </p>
          <ul>
            {of.materials.map((one) => (
              <li key={one.sku}>
                {one.title} <span className="font-mono text-soft">{one.sku}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {of.instructions && <p className="rounded-lg bg-info-bg p-2 text-sm text-info">{of.instructions}</p>}
    </div>
  );
}
