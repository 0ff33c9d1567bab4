import { useLingui } from "@lingui/react/macro";

/** Every station of the plant; `work` is that of the work centres. */
export function useStationTabs(): { key: string; label: string }[] {
  const { t } = useLingui();
  return [
    { key: "work", label: t`Work centre` },
    { key: "flash", label: t`Flash` },
    { key: "assembly", label: t`Assembly` },
    { key: "test", label: t`Test` },
    { key: "pack", label: t`Pack` },
  ];
}
