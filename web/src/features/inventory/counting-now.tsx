import { Trans } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { EyeOff } from "lucide-react";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { useCounts } from "./queries";

/** Who counts does not see what they count: say so, instead of items that seem to be missing. */
export function CountingNow() {
  const { who } = useStore(session);
  const counts = useCounts(false);
  const mine = counts.data?.filter((one) => one.started_by === who?.user_id && one.status !== "approval") ?? [];
  if (mine.length === 0) return null;
  return (
    <p className="flex flex-wrap items-center gap-2 rounded-xl bg-info-bg px-4 py-1 text-info">
      <EyeOff aria-hidden className="size-5" />
      <Trans>You are counting: those items are not shown here until you submit.</Trans>
      {mine.map((one) => (
        <Link
          key={one.id}
          to="/stock/counts/$id"
          params={{ id: String(one.id) }}
          className="flex min-h-12 items-center px-2 font-semibold underline"
        >
          <Trans>Count {one.id}</Trans>
        </Link>
      ))}
    </p>
  );
}
