import { useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type { SettingValue } from "@/lib/types";

export interface Scope {
  store?: string | undefined;
  site?: string | undefined;
}

/** The settings in force for a store or a site (exactly one of them). */
export function useSettings(scope: Scope) {
  return useQuery({
    queryKey: ["settings", scope.store ?? null, scope.site ?? null],
    queryFn: () => rpc<SettingValue[]>("get_settings", { p_store: scope.store ?? null, p_site: scope.site ?? null }),
    enabled: Boolean(scope.store || scope.site),
  });
}

/** One setting's value; `fallback` until it is known, and where this plant has no such setting. */
export function useSetting<T>(scope: Scope, key: string, fallback: T): T {
  const { data } = useSettings(scope);
  return (data?.find((one) => one.key === key)?.value as T | undefined) ?? fallback;
}
