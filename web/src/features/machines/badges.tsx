import { useLingui } from "@lingui/react/macro";
import { useNow } from "@/features/workflows/badges";
import { formatSpan } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { stateIcon, stateName, stateTone } from "./words";

/** What a machine does, with its sign. */
export function StateBadge({ state }: { state: string }) {
  const Icon = stateIcon(state);
  return (
    <Badge tone={stateTone(state)} icon={<Icon aria-hidden />}>
      {stateName(state)}
    </Badge>
  );
}

/** How long something lasts by now; it counts on. */
export function Since({ at }: { at: string | null }) {
  const { t } = useLingui();
  const now = useNow(1000);
  if (!at) return <>{t`since nobody knows when`}</>;
  return <>{t`for ${formatSpan((now - Date.parse(at)) / 1000)}`}</>;
}
