import { useLingui } from "@lingui/react/macro";
import { SearchBox } from "@/ui/search-box";
import { UnitsFrame } from "./frame";
import { useFilter, useFinished } from "./queries";
import { UnitRows, VariantChoice } from "./rows";

/** Units in finished stock that were not shipped. */
export function FinishedPage() {
  const { t } = useLingui();
  const [filter, change] = useFilter();
  return (
    <UnitsFrame current="finished">
      <section aria-label={t`Units in stock`} className="flex flex-col gap-3">
        <search className="flex flex-wrap items-end gap-2">
          <SearchBox
            label={t`Search units`}
            placeholder={t`Serial, variant, kit …`}
            value={filter.q ?? ""}
            onChange={(q) => change({ q: q || undefined })}
          />
          <VariantChoice value={filter.variant} onChange={(code) => change({ variant: code || undefined })} />
        </search>
        <UnitRows
          of={useFinished(filter)}
          empty={t`Nothing in stock. Packed units come here when they are moved to stock.`}
        />
      </section>
    </UnitsFrame>
  );
}
