import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { rpc } from "@/lib/rpc";
import { formatNumber } from "@/lib/time";
import { Pending } from "@/ui/states";
import { StatusBadge } from "./rows";
import type { RuleSet, RulesPreview } from "./types";

/** What these rules would do to the units that are not packed: which would newly fail, and why. */
export function Preview({ variant, rules }: { variant: string; rules: RuleSet }) {
  const { t } = useLingui();
  const preview = useQuery({
    queryKey: ["variants", "preview", variant, rules],
    queryFn: () => rpc<RulesPreview>("preview_variant_rules", { p_variant: variant, p_rules: rules }),
    retry: false,
    gcTime: 0,
  });
  const { data } = preview;
  if (!data) return <Pending of={preview} />;
  return (
    <div role="status" className="flex flex-col gap-3 rounded-xl bg-sunk p-3">
      <p>
        <Plural value={data.units} one="# unit is not packed yet." other="# units are not packed yet." />{" "}
        <Trans>
          Could be packed now: {formatNumber(data.pass_now)}; with these rules: {formatNumber(data.pass_then)}.
        </Trans>
      </p>
      <Changed title={t`Would newly be stopped`} none={t`No unit would newly be stopped.`} units={data.newly_failing} />
      {data.newly_passing.length > 0 && (
        <Changed title={t`Would no longer be stopped by`} none="" units={data.newly_passing} />
      )}
    </div>
  );
}

function Changed({ title, none, units }: { title: string; none: string; units: RulesPreview["newly_failing"] }) {
  if (units.length === 0) return <p className="font-semibold text-ok">{none}</p>;
  return (
    <section>
      <h3 className="font-semibold">
        {title} ({formatNumber(units.length)})
      </h3>
      <ul aria-label={title} className="max-h-72 divide-y divide-line overflow-y-auto">
        {units.map((one) => (
          <li key={one.sn} className="flex flex-wrap items-center gap-x-3 py-1">
            <Link
              to="/units/$sn"
              params={{ sn: one.sn }}
              className="inline-flex min-h-12 items-center font-mono font-semibold underline"
            >
              {one.sn}
            </Link>
            <StatusBadge status={one.status} />
            <span className="w-full pb-1 text-soft">{one.blockers.map((blocker) => blocker.message).join(" ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
