import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { PackagePlus } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { unitCommand } from "./act";
import { UnitsFrame } from "./frame";
import { KitsDialog } from "./kits-form";
import { useFilter, useKits } from "./queries";
import type { Kit } from "./types";

/** Packaging kits: what lies in each, for which variants, and the unit it went with. */
export function KitsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, change] = useFilter();
  const kits = useKits(filter.q);
  const [adding, setAdding] = useState(false);
  const plans = may(who, "units.plan");
  return (
    <UnitsFrame current="kits">
      <section aria-label={t`Kits`} className="flex flex-col gap-3">
        <search className="flex flex-wrap items-end gap-2">
          <SearchBox
            label={t`Search kits`}
            placeholder={t`Code of a kit …`}
            value={filter.q ?? ""}
            onChange={(q) => change({ q: q || undefined })}
          />
          {plans && (
            <Button look="primary" className="ml-auto" onClick={() => setAdding(true)}>
              <PackagePlus aria-hidden className="size-5" /> <Trans>Register kits</Trans>
            </Button>
          )}
        </search>
        <Pending of={kits} />
        {kits.data?.length === 0 && <Empty>{t`No such kits.`}</Empty>}
        {kits.data && kits.data.length > 0 && (
          <ul className="divide-y divide-line rounded-2xl border border-line bg-panel">
            {kits.data.map((one) => (
              <KitRow key={one.kit_id} kit={one} mayChange={plans} />
            ))}
          </ul>
        )}
        {kits.hasNextPage && (
          <Button className="self-center" disabled={kits.isFetchingNextPage} onClick={() => void kits.fetchNextPage()}>
            <Trans>Show more</Trans>
          </Button>
        )}
      </section>
      {adding && <KitsDialog onClose={() => setAdding(false)} />}
    </UnitsFrame>
  );
}

function KitRow({ kit, mayChange }: { kit: Kit; mayChange: boolean }) {
  const { t } = useLingui();
  const inserts = Object.entries((kit.insert_versions ?? {}) as Record<string, string>);
  const set = (isActive: boolean): Promise<unknown> =>
    unitCommand(
      "set_kit_active",
      { p_kit_id: kit.kit_id, p_is_active: isActive },
      () => (isActive ? t`${kit.kit_id} may be packed again.` : t`${kit.kit_id} is no longer packed with anything.`),
      () => ({ label: t`Undo`, run: () => void set(!isActive) }),
    );
  return (
    <li className="flex min-h-16 flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
      <span className="font-mono font-semibold">{kit.kit_id}</span>
      <Badge>{kit.language_set}</Badge>
      <span className="min-w-0 flex-1 text-sm text-soft">
        {[kit.variants.join(", "), ...inserts.map(([name, version]) => `${name} ${version}`)].join(" · ")}
      </span>
      {!kit.is_active && <Badge tone="warn">{t`Out of use`}</Badge>}
      {kit.used_by_sn ? (
        <Link
          to="/units/$sn"
          params={{ sn: kit.used_by_sn }}
          className="inline-flex min-h-12 items-center font-mono underline"
        >
          {t`Packed with ${kit.used_by_sn}`}
        </Link>
      ) : (
        mayChange && (
          <Button onClick={() => void set(!kit.is_active)}>
            {kit.is_active ? <Trans>Take out of use</Trans> : <Trans>Use again</Trans>}
            <span className="sr-only">{kit.kit_id}</span>
          </Button>
        )
      )}
    </li>
  );
}
