import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { rpc } from "@/lib/rpc";
import type { InboxEntry, ReplayResult } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";

/** First what a replay would change, then the replay. Dead ones get all their tries back. */
export function ReplayDialog({ entries, onClose }: { entries: InboxEntry[]; onClose: () => void }) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const ids = entries.map((one) => one.id);
  const rehearsal = useQuery({
    queryKey: ["replay", ids],
    queryFn: () => rpc<ReplayResult[]>("replay_webhooks", { p_ids: ids, p_dry_run: true }),
    gcTime: 0,
    retry: false,
  });

  async function replay() {
    setBusy(true);
    const dead = entries.filter((one) => one.status === "dead").map((one) => one.id);
    const others = ids.filter((id) => !dead.includes(id));
    try {
      if (dead.length) await command("requeue_dead_webhooks", { p_ids: dead } as never);
      if (others.length) await command("replay_webhooks", { p_ids: others, p_dry_run: false } as never);
      toast("ok", t`Queued again: ${ids.length}`);
      onClose();
    } catch (error) {
      toast("bad", explain(error));
    }
    setBusy(false);
    await queries.invalidateQueries({ queryKey: ["inbox"] });
    await queries.invalidateQueries({ queryKey: ["shops"] });
  }

  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Replay`}
      note={<Trans>This is what would change now. Nothing is changed yet.</Trans>}
    >
      <Pending of={rehearsal} />
      <ul className="mb-4 flex flex-col gap-2">
        {rehearsal.data?.map((one) => (
          <li key={one.inbox_id} className="rounded-lg bg-sunk p-3">
            <p className="flex items-center gap-2">
              <span className="font-mono">{one.inbox_id}</span> {one.topic}
              <span className="ml-auto">
                <Badge tone={one.ok ? "ok" : "bad"}>{one.result}</Badge>
              </span>
            </p>
            <Changes changes={one.changes} />
            {one.error && <p className="text-bad">{one.error}</p>}
          </li>
        ))}
      </ul>
      <Button look="primary" className="w-full" disabled={busy || !rehearsal.data} onClick={() => void replay()}>
        <Plural value={ids.length} one="Replay # webhook" other="Replay # webhooks" />
      </Button>
    </Dialog>
  );
}

function Changes({ changes }: { changes: unknown }) {
  const list = Array.isArray(changes) ? (changes as { id?: string; event?: string }[]) : [];
  if (list.length === 0) {
    return (
      <p className="text-sm text-soft">
        <Trans>Changes nothing.</Trans>
      </p>
    );
  }
  return (
    <ul className="text-sm">
      {list.map((one) => (
        <li key={`${one.id} ${one.event}`}>
          <span className="font-mono">{one.id}</span> {one.event}
        </li>
      ))}
    </ul>
  );
}
