import { Trans } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Clock } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { outbox } from "@/lib/commands";
import { commandName } from "@/lib/labels";
import { useStore } from "@/lib/store";
import { formatAge } from "@/lib/time";
import type { Waiting } from "@/lib/waiting";

/** Commands about a thing that the server has not answered, whoever gave them. */
export function useUnanswered(entity: string): Waiting[] {
  return useStore(outbox.entries).filter((one) => one.entity === entity);
}

/** What was given here and has no answer: nobody needs to give it again. */
export function Unanswered({ entity }: { entity: string }) {
  const waiting = useUnanswered(entity);
  const now = useNow(5000);
  if (waiting.length === 0) return null;
  return (
    <ul aria-live="polite" className="mt-3 flex flex-col gap-2 rounded-lg bg-warn-bg p-3 text-warn">
      {waiting.map((one) => (
        <li key={one.id} className="flex flex-wrap items-center gap-2">
          <Clock aria-hidden className="shrink-0" />
          <span className="min-w-0 flex-1">
            <Line of={one} age={formatAge(Math.max(0, now - one.at))} />
          </span>
          <Link to="/outbox" className="inline-flex min-h-12 items-center font-semibold underline">
            <Trans>Look</Trans>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Line({ of, age }: { of: Waiting; age: string }) {
  const what = commandName(of.rpc);
  if (of.state === "waiting")
    return (
      <Trans>
        No answer yet: {what}, {age} ago. It is sent again by itself, and counts once.
      </Trans>
    );
  if (of.state === "refused") return <Trans>Refused: {what}. What is given after it waits until somebody looks.</Trans>;
  return (
    <Trans>
      No answer: {what}, {age} ago. Nobody knows whether it was done.
    </Trans>
  );
}
