import { Trans, useLingui } from "@lingui/react/macro";
import { PackagePlus, X } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { SearchBox } from "@/ui/search-box";
import { CreateDialog } from "./create";
import { UnitsFrame } from "./frame";
import { useFilter, useUnits } from "./queries";
import { UnitRows, VariantChoice } from "./rows";
import { STATUSES } from "./search";
import type { UnitStatus } from "./types";
import { statusName } from "./words";

/** Every unit, newest serial first. */
export function UnitsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, change] = useFilter();
  const units = useUnits(filter);
  const [creating, setCreating] = useState(false);
  const any = filter.q || filter.status || filter.variant;
  return (
    <UnitsFrame current="list">
      <section aria-label={t`Units`} className="flex flex-col gap-3">
        <search className="flex flex-wrap items-end gap-2">
          <SearchBox
            label={t`Search units`}
            placeholder={t`Serial, variant, kit …`}
            value={filter.q ?? ""}
            onChange={(q) => change({ q: q || undefined })}
          />
          <div className="w-44">
            <Select
              quiet
              label={t`State`}
              value={filter.status ?? ""}
              onChange={(event) => change({ status: (event.target.value || undefined) as UnitStatus | undefined })}
            >
              <option value="">{t`All states`}</option>
              {STATUSES.map((status) => (
                <option key={status} value={status}>
                  {statusName(status)}
                </option>
              ))}
            </Select>
          </div>
          <VariantChoice value={filter.variant} onChange={(code) => change({ variant: code || undefined })} />
          <Button
            aria-pressed={filter.status === "ON_HOLD"}
            look={filter.status === "ON_HOLD" ? "primary" : "plain"}
            onClick={() => change({ status: filter.status === "ON_HOLD" ? undefined : "ON_HOLD" })}
          >
            <Trans>Only held ones</Trans>
          </Button>
          {any && (
            <Button look="quiet" onClick={() => change({ q: undefined, status: undefined, variant: undefined })}>
              <X aria-hidden /> <Trans>Clear</Trans>
            </Button>
          )}
          {may(who, "units.create") && (
            <Button look="primary" className="ml-auto" onClick={() => setCreating(true)}>
              <PackagePlus aria-hidden className="size-5" /> <Trans>New units</Trans>
            </Button>
          )}
        </search>
        <UnitRows of={units} empty={any ? t`No such units.` : t`No unit yet. Make the first with “New units”.`} />
      </section>
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
    </UnitsFrame>
  );
}
