import { Trans, useLingui } from "@lingui/react/macro";
import { Clock, Download, RotateCw, Trash2, TriangleAlert } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { drainOutbox, outbox } from "@/lib/commands";
import { commandName } from "@/lib/labels";
import { sentence } from "@/lib/messages";
import { saveJson } from "@/lib/save-file";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge } from "@/lib/time";
import type { Waiting } from "@/lib/waiting";
import { aboutOf } from "@/lib/waits";
import { Button, LinkButton } from "@/ui/button";
import { Page } from "@/ui/page";
import { Empty } from "@/ui/states";
import { useStaffName } from "./queries";

/** Everything that waits on this device, whoever gave it, as a file for whoever helps. */
function exportAll(entries: Waiting[]): void {
  const exported_at = new Date().toISOString();
  const name = `takt-outbox-${exported_at.slice(0, 19).replaceAll(":", "")}.json`;
  saveJson(name, { exported_at, origin: location.origin, user_agent: navigator.userAgent, commands: entries });
}

/** What has no answer yet, and what was refused. */
export function OutboxPage() {
  const { t } = useLingui();
  const entries = useStore(outbox.entries);
  const tools = entries.length > 0 && (
    <>
      <Button onClick={() => exportAll(entries)}>
        <Download aria-hidden className="size-5" /> <Trans>Save as a file</Trans>
      </Button>
      <Button look="primary" onClick={() => void drainOutbox()}>
        <RotateCw aria-hidden className="size-5" /> <Trans>Send now</Trans>
      </Button>
    </>
  );
  return (
    <Page title={t`Not sent yet`} tools={tools}>
      {entries.length === 0 && <Empty>{t`Everything has reached the server.`}</Empty>}
      <ul className="flex flex-col gap-3">
        {entries.map((entry) => (
          <li key={entry.id}>{entry.state === "waiting" ? <Waits entry={entry} /> : <Undecided entry={entry} />}</li>
        ))}
      </ul>
    </Page>
  );
}

/** The name of who gave it, when that is not who stands here: nobody sends for anybody else. */
function useOther(entry: Waiting): string | null {
  const { who } = useStore(session);
  const nameOf = useStaffName();
  return entry.user_id === who?.user_id ? null : nameOf(entry.user_id);
}

function Waits({ entry }: { entry: Waiting }) {
  const now = useNow(5000);
  const age = formatAge(now - entry.at);
  const other = useOther(entry);
  return (
    <div className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-panel p-4">
      <Clock aria-hidden className="text-warn" />
      {entry.entity && <span className="font-mono font-semibold">{entry.entity}</span>}
      <span>{commandName(entry.rpc)}</span>
      <span className="ml-auto text-soft">
        <Trans>given {age} ago</Trans>
      </span>
      {other && (
        <p className="w-full font-medium text-warn">
          <Trans>
            By {other}. It goes out when {other} is here again.
          </Trans>
        </p>
      )}
    </div>
  );
}

/** The page of what a command is about. */
function placeOf({ rpc, entity }: Waiting): { to: string; params: object } | null {
  switch (entity === "" ? undefined : aboutOf(rpc)) {
    case "ticket":
      return { to: "/orders/$id", params: { id: entity } };
    case "order":
      return { to: "/production/orders/$code", params: { code: entity } };
    case "machine":
      return { to: "/machine/$code", params: { code: entity } };
    case "repair":
      return { to: "/maintenance/repairs/$id", params: { id: entity } };
    default:
      return null;
  }
}

/** Refused, or of those that nobody can know about: a person looks, and decides. */
function Undecided({ entry }: { entry: Waiting }) {
  const reason = entry.refusal;
  const what = commandName(entry.rpc);
  const other = useOther(entry);
  const place = placeOf(entry);
  return (
    <article className="rounded-2xl border-2 border-bad bg-bad-bg p-4 text-bad">
      <h2 className="flex items-center gap-2 text-lg font-bold">
        <TriangleAlert aria-hidden />
        <span>
          {entry.entity} {reason ? <Trans>“{what}” was refused</Trans> : <Trans>“{what}” has no answer</Trans>}
        </span>
      </h2>
      <p className="mt-1 text-ink">
        {reason ? (
          sentence(reason.hint, reason.details, reason.message)
        ) : (
          <Trans>Nobody knows whether it was done. Look first; sent again, it is done once at most.</Trans>
        )}
      </p>
      {other && (
        <p className="mt-1 text-ink">
          <Trans>{other} gave it.</Trans>
        </p>
      )}
      <div className="mt-3 flex flex-wrap gap-2">
        {place && (
          <LinkButton to={place.to} params={place.params as never}>
            <Trans>Open it</Trans>
          </LinkButton>
        )}
        {!other && (
          <Button onClick={() => void outbox.retry(entry.id)}>
            <RotateCw aria-hidden /> {reason ? <Trans>Try again</Trans> : <Trans>Send it again</Trans>}
          </Button>
        )}
        <Button look="danger" onClick={() => void outbox.drop(entry.id)}>
          <Trash2 aria-hidden /> <Trans>Drop it</Trans>
        </Button>
      </div>
    </article>
  );
}
