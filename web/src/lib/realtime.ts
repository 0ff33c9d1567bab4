import type { RealtimeChannel, RealtimeClient } from "@supabase/realtime-js";
import { Follower } from "./cursor";
import { MOVING, STREAMS } from "./refetch";
import { RpcError, rows, rpc } from "./rpc";
import { createStore } from "./store";
import { db } from "./supabase";
import type { EventEntry } from "./types";

export interface Live {
  /** True while every channel is joined. */
  joined: boolean;
  /** When the server last said that we have seen everything; ms since 1970, 0 = never. */
  freshAt: number;
}

export const live = createStore<Live>({ joined: false, freshAt: 0 });

const POLL_MS = 20_000;

/** A broadcast. Without an id it is no event: something moves (the percent of a print), and nothing has to be caught up. */
interface Heard {
  event_id?: number;
  stream_id: string;
}
type Listener = (events: { stream: string; stream_id: string }[]) => void;

/**
 * Follows every site of the signed-in person until the returned function is called. `onFresh`: the server was reached and
 * everything up to now was told, so what could not be read before can be read again.
 */
export function follow(onEvents: Listener, onReset: () => void, onFresh: () => void): () => void {
  const channels: RealtimeChannel[] = [];
  const joined = new Set<string>();
  let leave: (channel: RealtimeChannel) => void = () => undefined;
  let stopped = false;
  const follower = new Follower(
    {
      now: () => rpc<string>("events_cursor"),
      since: (p_cursor, p_limit) => rpc<EventEntry[]>("events_since", { p_cursor, p_limit, p_streams: STREAMS }),
    },
    onEvents,
    onReset,
    (error) => error instanceof RpcError && error.hint === "events.cursor_ahead",
  );

  async function catchUp(): Promise<void> {
    try {
      await follower.catchUp();
      if (stopped) return;
      live.set((old) => ({ ...old, freshAt: Date.now() }));
      onFresh();
    } catch {
      // Not reached: the banner shows the age, and the next tick or join tries again.
    }
  }

  function join(client: RealtimeClient, site: string, stream: string): void {
    const topic = `site:${site}:${stream}`;
    const channel = client.channel(topic, { config: { private: true } });
    channels.push(channel);
    channel
      .on("broadcast", { event: "*" }, ({ payload }) => {
        const { event_id, stream_id } = payload as Heard;
        if (event_id === undefined) onEvents([{ stream, stream_id }]);
        else follower.hear({ event_id, stream, stream_id });
        live.set((old) => ({ ...old, freshAt: Date.now() }));
      })
      .subscribe((status) => {
        if (status === "SUBSCRIBED") joined.add(topic);
        else joined.delete(topic);
        if (stopped) return;
        live.set((old) => ({ ...old, joined: joined.size > 0 && joined.size === channels.length }));
        if (status !== "SUBSCRIBED") return;
        if (MOVING.has(stream)) onEvents([{ stream, stream_id: "" }]);
        void catchUp();
      });
  }

  async function start(): Promise<void> {
    await catchUp(); // the cursor first: what is read after it can only be newer
    const sites = await rows<{ code: string }[]>(db().from("sites").select("code")).catch(() => []);
    const client = await db()
      .realtime()
      .catch(() => null);
    await client?.setAuth().catch(() => undefined);
    if (stopped) return;
    if (!client || sites.length === 0) {
      setTimeout(() => !stopped && void start(), 3000);
      return;
    }
    leave = (channel) => void client.removeChannel(channel);
    for (const site of sites) for (const stream of STREAMS) join(client, site.code, stream);
  }

  const tick = () => {
    if (document.visibilityState === "visible") void catchUp();
  };
  const timer = setInterval(tick, POLL_MS);
  window.addEventListener("online", tick);
  document.addEventListener("visibilitychange", tick);
  void start();
  return () => {
    stopped = true;
    clearInterval(timer);
    window.removeEventListener("online", tick);
    document.removeEventListener("visibilitychange", tick);
    for (const channel of channels) leave(channel);
    live.set({ joined: false, freshAt: 0 });
  };
}
