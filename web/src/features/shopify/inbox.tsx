import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import type { InboxEntry } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useInbox, useShops } from "./queries";
import { ReplayDialog } from "./replay";
import { failure, stateLook } from "./words";

export interface InboxFilter {
  store?: string | undefined;
  status?: string | undefined;
}

export function Inbox({ filter, onFilter }: { filter: InboxFilter; onFilter: (filter: InboxFilter) => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const inbox = useInbox(filter.store, filter.status);
  const shops = useShops();
  const [picked, setPicked] = useState<ReadonlySet<number>>(new Set());
  const [replaying, setReplaying] = useState(false);
  const zone = useZone(filter.store);
  const mayReplay = may(who, "channels.manage");
  const chosen = (inbox.data ?? []).filter((one) => picked.has(one.id));
  const toggle = (id: number) =>
    setPicked((old) => {
      const fresh = new Set(old);
      if (!fresh.delete(id)) fresh.add(id);
      return fresh;
    });
  const tools = (
    <>
      {mayReplay && (
        <Button look="primary" disabled={chosen.length === 0} onClick={() => setReplaying(true)}>
          {chosen.length === 0 ? t`Replay` : t`Replay ${chosen.length}`}
        </Button>
      )}
      <div className="w-40">
        <Select
          quiet
          label={t`Store`}
          value={filter.store ?? ""}
          onChange={(e) => onFilter({ ...filter, store: e.target.value || undefined })}
        >
          <option value="">{t`All stores`}</option>
          {shops.data?.map((shop) => (
            <option key={shop.store}>{shop.store}</option>
          ))}
        </Select>
      </div>
      <div className="w-40">
        <Select
          quiet
          label={t`State`}
          value={filter.status ?? ""}
          onChange={(e) => onFilter({ ...filter, status: e.target.value || undefined })}
        >
          <option value="">{t`Any state`}</option>
          {["new", "done", "ignored", "failed", "dead"].map((state) => (
            <option key={state} value={state}>
              {stateLook(state).text}
            </option>
          ))}
        </Select>
      </div>
    </>
  );
  return (
    <Panel title={<Trans>What arrived</Trans>} tools={tools}>
      <Pending of={inbox} />
      {inbox.data?.length === 0 && <Empty>{t`Nothing here.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {inbox.data?.map((one) => (
          <InboxRow
            key={one.id}
            entry={one}
            zone={zone}
            picked={picked.has(one.id)}
            onPick={mayReplay ? () => toggle(one.id) : undefined}
          />
        ))}
      </ul>
      {replaying && (
        <ReplayDialog
          entries={chosen}
          onClose={() => {
            setReplaying(false);
            setPicked(new Set());
          }}
        />
      )}
    </Panel>
  );
}

function InboxRow(props: { entry: InboxEntry; zone: string; picked: boolean; onPick: (() => void) | undefined }) {
  const { t } = useLingui();
  const { entry } = props;
  const { tone, text } = stateLook(entry.status);
  return (
    <li className="flex min-h-14 flex-wrap items-center gap-x-3 gap-y-1 py-1.5">
      {props.onPick && (
        <label className="flex size-12 items-center justify-center">
          <span className="sr-only">{t`Select webhook ${entry.id}`}</span>
          <input type="checkbox" className="size-6 accent-(--accent)" checked={props.picked} onChange={props.onPick} />
        </label>
      )}
      <span className="min-w-12 font-mono text-soft">{entry.id}</span>
      <span className="font-semibold">{entry.topic}</span>
      <span className="mr-auto text-soft">{entry.store}</span>
      {entry.attempts > 1 && <Badge>{t`${entry.attempts} tries`}</Badge>}
      <span className="text-sm text-soft">{formatInstant(entry.received_at, props.zone)}</span>
      <Badge tone={tone}>{text}</Badge>
      {entry.error && <span className="basis-full break-words text-bad sm:pl-15">{failure(entry.error)}</span>}
    </li>
  );
}
