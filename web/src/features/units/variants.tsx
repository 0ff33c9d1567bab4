import { Trans, useLingui } from "@lingui/react/macro";
import { Plus } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { UnitsFrame } from "./frame";
import { useFilter, useVariants } from "./queries";
import { Rules } from "./rules";
import type { Variant } from "./types";
import { VariantDialog } from "./variant-form";

/** What units become, and what they must fulfil to be packed. */
export function VariantsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, change] = useFilter();
  const variants = useVariants();
  const [edited, setEdited] = useState<Variant | null | undefined>();
  const chosen = variants.data?.find((one) => one.code === filter.variant) ?? variants.data?.[0];
  const plans = may(who, "units.plan");
  return (
    <UnitsFrame current="variants">
      <div className="grid gap-4 lg:grid-cols-[18rem_1fr]">
        <Panel
          title={<Trans>Variants</Trans>}
          className="self-start"
          tools={
            plans && (
              <Button onClick={() => setEdited(null)}>
                <Plus aria-hidden className="size-5" /> <Trans>New variant</Trans>
              </Button>
            )
          }
        >
          <Pending of={variants} />
          {variants.data?.length === 0 && <Empty>{t`No variant yet.`}</Empty>}
          <ul className="flex flex-col gap-1">
            {variants.data?.map((one) => (
              <li key={one.code}>
                <button
                  type="button"
                  aria-current={one === chosen ? "true" : undefined}
                  onClick={() => change({ variant: one.code })}
                  className={cx(
                    "flex min-h-14 w-full flex-col items-start justify-center rounded-lg px-3 text-left",
                    one === chosen ? "bg-accent-bg text-accent" : "hover:bg-sunk",
                  )}
                >
                  <span className="font-semibold">{one.title}</span>
                  <span className="font-mono text-sm">{one.code}</span>
                </button>
              </li>
            ))}
          </ul>
        </Panel>
        {chosen && (
          <div className="flex min-w-0 flex-col gap-4">
            <Panel
              title={chosen.title}
              tools={
                <>
                  {!chosen.is_active && <Badge tone="warn">{t`No longer made`}</Badge>}
                  {plans && <Button onClick={() => setEdited(chosen)}>{t`Edit`}</Button>}
                </>
              }
            >
              <Facts variant={chosen} />
            </Panel>
            <Rules key={chosen.code} variant={chosen} />
          </div>
        )}
      </div>
      {edited !== undefined && (
        <VariantDialog
          variant={edited}
          onClose={() => setEdited(undefined)}
          onSaved={(code) => change({ variant: code })}
        />
      )}
    </UnitsFrame>
  );
}

function Facts({ variant }: { variant: Variant }) {
  const { t } = useLingui();
  const facts: [string, string][] = [
    [t`Code`, variant.code],
    [t`Product code`, variant.product_code],
    [t`Finished item`, variant.sku ?? t`none: its units cannot be moved to stock`],
    [t`Languages of its kit`, variant.default_language_set],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-soft">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
