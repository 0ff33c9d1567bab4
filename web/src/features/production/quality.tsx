import { Trans, useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { formatNumber, instantOf } from "@/lib/time";
import { DayRange } from "@/ui/day-range";
import { Panel } from "@/ui/page";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { ProductionFrame } from "./frame";
import { OpenPieces } from "./open-pieces";
import { Pareto } from "./pareto";
import { useFilter, useQuality, useSite, useSiteZone } from "./queries";
import type { Quality } from "./types";
import { percent } from "./words";
import { StepTable } from "./yields";

/** What went wrong, how often, where; and how much is good at the first go. */
export function QualityPage() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const [filter] = useFilter();
  const range = useMemo(
    () => ({
      since: filter.from ? instantOf(filter.from, false, zone) : null,
      until: filter.to ? instantOf(filter.to, true, zone) : null,
    }),
    [filter.from, filter.to, zone],
  );
  const quality = useQuality({ site, ...range, sku: filter.sku ?? null, by: filter.by ?? "quantity" });
  const { data } = quality;
  const isEmpty = data && data.reasons.length === 0 && data.steps.length === 0;
  return (
    <ProductionFrame current="quality">
      <Range zone={zone} />
      <Pending of={quality} />
      {isEmpty && <Empty>{t`Nothing was counted in these days.`}</Empty>}
      {data && !isEmpty && (
        <>
          <Figures of={data} />
          <Panel title={<Trans>Why pieces are not good</Trans>}>
            <Pareto rows={data.reasons} by={data.by} />
          </Panel>
          <Panel title={<Trans>Yield and losses, step by step</Trans>}>
            <StepTable rows={data.steps} />
          </Panel>
        </>
      )}
      <OpenPieces site={site} />
    </ProductionFrame>
  );
}

/** The days that are shown, and of which product; without any, the last 30. */
function Range({ zone }: { zone: string }) {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  return (
    <search className="flex flex-wrap items-end gap-2">
      <DayRange zone={zone} days={filter} standard={30} onChange={set} />
      <SearchBox
        label={t`Product`}
        placeholder={t`SKU of a product`}
        value={filter.sku ?? ""}
        onChange={(sku) => set({ sku: sku || undefined })}
      />
    </search>
  );
}

function Figures({ of }: { of: Quality }) {
  const { t } = useLingui();
  const { totals } = of;
  const facts = [
    { name: t`Rolled throughput yield`, value: percent(of.rty), note: t`passes every step at the first go` },
    { name: t({ message: "Scrap", context: "pieces" }), value: formatNumber(totals.scrap), note: t`pieces lost` },
    { name: t`Reworked`, value: formatNumber(totals.rework), note: t`pieces sent to rework or repair` },
    { name: t`In rework now`, value: formatNumber(totals.rework_open), note: t`not good again yet` },
    { name: t`On hold now`, value: formatNumber(totals.held_open), note: t`wait for a decision` },
    { name: t`Sent back`, value: formatNumber(totals.returned), note: t`to the supplier` },
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      {facts.map(({ name, value, note }) => (
        <div key={name} className="flex flex-col rounded-2xl border border-line bg-panel p-3">
          <dt className="text-sm text-soft">{name}</dt>
          <dd className="text-3xl font-bold">
            {value}
            <span className="block text-sm font-normal text-soft">{note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
