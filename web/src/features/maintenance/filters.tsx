import { Trans, useLingui } from "@lingui/react/macro";
import { useSite } from "@/features/production/queries";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { SearchBox } from "@/ui/search-box";
import { useFilter, useLines } from "./queries";
import type { MaintenanceSearch } from "./search";

export function LineFilter() {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const lines = useLines(useSite());
  return (
    <Select
      quiet
      label={t`Line`}
      value={filter.line ?? ""}
      onChange={(event) => set({ line: event.target.value || undefined })}
    >
      <option value="">{t`Every line`}</option>
      {lines.data?.map(({ line }) => (
        <option key={line.code} value={line.code}>
          {line.title}
        </option>
      ))}
    </Select>
  );
}

/** What narrows the repairs that are shown. */
export function RepairFilters() {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  return (
    <search className="flex min-w-0 flex-1 flex-wrap gap-2">
      <SearchBox
        label={t`Search`}
        placeholder={t`Machine, number, words …`}
        value={filter.q ?? ""}
        onChange={(q) => set({ q: q || undefined })}
      />
      <LineFilter />
      <Select
        quiet
        label={t`Kind`}
        value={filter.type ?? ""}
        onChange={(event) => set({ type: (event.target.value || undefined) as MaintenanceSearch["type"] })}
      >
        <option value="">{t`Every kind`}</option>
        <option value="unscheduled">{t`Something is wrong`}</option>
        <option value="scheduled">{t`Planned work`}</option>
      </Select>
      <Button
        look={filter.mine ? "primary" : "plain"}
        aria-pressed={filter.mine === "yes"}
        onClick={() => set({ mine: filter.mine ? undefined : "yes" })}
      >
        <Trans>Only mine</Trans>
      </Button>
      {filter.machine && (
        <Button onClick={() => set({ machine: undefined })}>
          <Trans>{filter.machine}: show every machine</Trans>
        </Button>
      )}
    </search>
  );
}
