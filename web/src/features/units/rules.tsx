import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { unitCommand } from "./act";
import { useRules } from "./queries";
import { RulesForm } from "./rules-form";
import { Preview } from "./rules-preview";
import { ruleSet, ruleWords } from "./rules-words";
import type { RuleVersion, Variant } from "./types";

/** The versions of the rules of a variant: one is in force; a new one is made from an old one. */
export function Rules({ variant }: { variant: Variant }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const rules = useRules(variant.code);
  const [from, setFrom] = useState<RuleVersion | null | undefined>();
  const [chosen, setChosen] = useState<RuleVersion | null>(null);
  const plans = may(who, "units.plan");
  if (from !== undefined) return <RulesForm variant={variant} from={from} onClose={() => setFrom(undefined)} />;
  return (
    <Panel
      title={<Trans>Rules</Trans>}
      tools={
        plans && (
          <Button look="primary" onClick={() => setFrom(rules.data?.find((one) => one.is_active) ?? null)}>
            <Trans>New version</Trans>
          </Button>
        )
      }
    >
      <Pending of={rules} />
      {rules.data?.length === 0 && <Empty>{t`No rules yet: without rules in force its units are not packed.`}</Empty>}
      <ol aria-label={t`Versions of the rules`} className="flex flex-col gap-3">
        {rules.data?.map((one) => (
          <Version key={one.version} rules={one} onUse={plans ? () => setChosen(one) : undefined} />
        ))}
      </ol>
      {chosen && <ActivateDialog variant={variant} rules={chosen} onClose={() => setChosen(null)} />}
    </Panel>
  );
}

function Version({ rules, onUse }: { rules: RuleVersion; onUse: (() => void) | undefined }) {
  const { t } = useLingui();
  const zone = useZone();
  return (
    <li className="rounded-xl border border-line p-3">
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <span className="text-lg font-semibold">{t`Version ${rules.version}`}</span>
        {rules.is_active ? (
          <Badge tone="ok">{t`In force`}</Badge>
        ) : (
          <Badge>{rules.activated_at ? t`Was in force` : t`Draft`}</Badge>
        )}
        <span className="mr-auto text-sm text-soft">
          {[rules.note, formatInstant(rules.created_at, zone)].filter(Boolean).join(" · ")}
        </span>
        {!rules.is_active && onUse && <Button onClick={onUse}>{t`Put in force`}</Button>}
      </div>
      <dl className="grid gap-x-4 gap-y-1 sm:grid-cols-[auto_1fr]">
        {ruleWords(rules).map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-soft">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}

/** What would change for the units that are not packed, before anything does. */
function ActivateDialog(props: { variant: Variant; rules: RuleVersion; onClose: () => void }) {
  const { t } = useLingui();
  const { variant, rules } = props;
  async function activate() {
    const given = { p_variant: variant.code, p_version: rules.version };
    const done = await unitCommand("activate_variant_rules", given, () => t`Version ${rules.version} is in force.`);
    if (done) props.onClose();
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={t`Put version ${rules.version} in force`}
      note={t`For every unit of ${variant.title} that is not packed yet. An older version can be put in force again.`}
    >
      <div className="flex flex-col gap-4">
        <Preview variant={variant.code} rules={ruleSet(rules)} />
        <Button look="primary" onClick={() => void activate()}>
          <Trans>Put in force</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
