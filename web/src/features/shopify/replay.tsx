import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { command } from "@/lib/commands";
import { eventName } from "@/lib/labels";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { rpc } from "@/lib/rpc";
import type { InboxEntry, ReplayResult } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { useOutcome } from "./queries";
import { failure, stateLook } from "./words";

/** Queues them again; dead ones get all their tries back. */
async function queueAgain(entries: InboxEntry[]): Promise<void> {
  const idsOf = (dead: boolean) => entries.filter((one) => (one.status === "dead") === dead).map((one) => one.id);
  const [dead, others] = [idsOf(true), idsOf(false)];
  if (dead.length) await command("requeue_dead_webhooks", { p_ids: dead } as never);
  if (others.length) await command("replay_webhooks", { p_ids: others, p_dry_run: false } as never);
}

/** First what a replay would change, then the replay, then what came of it. */
export function ReplayDialog({ entries, onClose }: { entries: InboxEntry[]; onClose: () => void }) {
  const { t } = useLingui();
  const [chosen] = useState(entries); // the list behind the dialog goes on
  const [stage, setStage] = useState<"rehearsal" | "sending" | "queued">("rehearsal");
  const ids = chosen.map((one) => one.id);
  const rehearsal = useQuery({
    queryKey: ["replay", ids],
    queryFn: () => rpc<ReplayResult[]>("replay_webhooks", { p_ids: ids, p_dry_run: true }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });
  const outcome = useOutcome(ids, stage === "queued");

  async function replay() {
    setStage("sending");
    try {
      await queueAgain(chosen);
      setStage("queued");
    } catch (error) {
      setStage("rehearsal");
      toast("bad", explain(error));
    }
  }
  function close() {
    void queries.invalidateQueries({ queryKey: ["inbox"] });
    void queries.invalidateQueries({ queryKey: ["shops"] });
    onClose();
  }

  const queued = stage === "queued";
  const note = queued ? t`Queued again. What came of it:` : t`This is what would change now. Nothing is changed yet.`;
  return (
    <Dialog open onClose={close} title={t`Replay`} note={note}>
      <Pending of={rehearsal} />
      <ul className="mb-4 flex flex-col gap-2">
        {rehearsal.data?.map((one) => (
          <Row
            key={one.inbox_id}
            rehearsed={one}
            now={queued ? (outcome.data?.find((entry) => entry.id === one.inbox_id)?.status ?? "new") : null}
            error={queued ? outcome.data?.find((entry) => entry.id === one.inbox_id)?.error : one.error}
          />
        ))}
      </ul>
      {queued ? (
        <Button className="w-full" onClick={close}>
          <Trans>Close</Trans>
        </Button>
      ) : (
        <Button
          look="primary"
          className="w-full"
          disabled={stage === "sending" || !rehearsal.data}
          onClick={() => void replay()}
        >
          <Plural value={ids.length} one="Replay # webhook" other="Replay # webhooks" />
        </Button>
      )}
    </Dialog>
  );
}

/** One webhook: its rehearsal, and once it is queued (`now`) its state. */
function Row(props: { rehearsed: ReplayResult; now: string | null; error: string | null | undefined }) {
  const { rehearsed, now, error } = props;
  const { tone, text } = stateLook(now ?? rehearsed.result);
  return (
    <li className="rounded-lg bg-sunk p-3" data-webhook={rehearsed.inbox_id}>
      <p className="flex items-center gap-2">
        <span className="font-mono">{rehearsed.inbox_id}</span> {rehearsed.topic}
        <span className="ml-auto" role="status">
          <Badge tone={tone}>{text}</Badge>
        </span>
      </p>
      {!error && now !== "new" && <Changes changes={rehearsed.changes} done={now !== null} />}
      {error && <p className="text-bad">{failure(error)}</p>}
    </li>
  );
}

function Changes({ changes, done }: { changes: unknown; done: boolean }) {
  const list = Array.isArray(changes) ? (changes as { id: string; event: string }[]) : [];
  if (list.length === 0) {
    return (
      <p className="text-sm text-soft">
        <Trans>Changes nothing.</Trans>
      </p>
    );
  }
  const name = (id: string): ReactNode =>
    done ? (
      <Link to="/orders/$id" params={{ id }} className="inline-flex min-h-12 items-center font-mono underline">
        {id}
      </Link>
    ) : (
      <span className="font-mono">{id}</span>
    );
  return (
    <ul className="text-sm">
      {list.map((one) => (
        <li key={`${one.id} ${one.event}`} className="flex items-center gap-2">
          {name(one.id)} {eventName(one.event)}
        </li>
      ))}
    </ul>
  );
}
