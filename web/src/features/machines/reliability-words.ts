import { useLingui } from "@lingui/react/macro";
import { formatSpan } from "@/lib/time";
import type { Mtbf } from "./types";

/** How long, or a dash where there is nothing to say. */
export const span = (seconds: number | null | undefined) => (seconds == null ? "–" : formatSpan(seconds));

/** MTBF, or that it ran so long without a failure. */
export function useMtbfWords(): (row: Pick<Mtbf, "mtbf_s" | "at_least_s"> | undefined) => string {
  const { t } = useLingui();
  return (row) => {
    if (!row) return "–";
    if (row.mtbf_s !== null) return formatSpan(row.mtbf_s);
    const atLeast = span(row.at_least_s);
    return row.at_least_s ? t`≥ ${atLeast}` : "–";
  };
}
