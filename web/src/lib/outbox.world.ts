import "fake-indexeddb/auto";
import { indexedStorage } from "./local-db";
import { Outbox } from "./outbox";
import { toRpcError } from "./rpc";
import type { SendOutcome, Waiting } from "./waiting";
import { entityOf } from "./waits";

/** What the tests of the outbox decide, and what came to the server. */
export const world = {
  sent: [] as string[],
  asked: [] as Waiting[],
  answer: (_entry: Waiting): SendOutcome | Promise<SendOutcome> => done(),
  user: "olga" as string | null,
  online: true,
  made: 0,
  time: 0,
};

/** A new world, and nothing on the disk. */
export async function begin(): Promise<void> {
  Object.assign(world, { sent: [], asked: [], answer: () => done(), user: "olga", online: true, made: 0 });
  world.time = Date.parse("2026-11-22T10:00:00Z");
  for (const entry of await indexedStorage.all()) await indexedStorage.remove(entry.id);
}

/** A page of the client: what an earlier one left behind is on the disk only. */
export const open = () =>
  new Outbox({
    storage: indexedStorage,
    send: async (entry) => {
      world.sent.push(entry.id);
      world.asked.push(entry);
      return world.answer(entry);
    },
    user: () => world.user,
    isOnline: () => world.online,
    newId: () => `id-${++world.made}`,
    now: () => world.time,
    serverNow: () => world.time + 1000,
  });

export const done = (data: unknown = null): SendOutcome => ({ kind: "done", data });
export const lost = (): SendOutcome => ({ kind: "later", error: toRpcError({ message: "Failed to fetch" }, 0) });
export const signedOut = (): SendOutcome => ({
  kind: "later",
  error: toRpcError({ message: "Locked.", hint: "station.locked", code: "PT401" }, 401),
});
export const no = (): SendOutcome => ({
  kind: "refused",
  error: toRpcError({ message: "No.", hint: "order.closed", code: "PT409" }, 409),
});

export const store = (outbox: Outbox, storage: string, ticket: string) =>
  outbox.give({ rpc: "set_storage", args: { p_storage: storage }, entity: ticket });
export const piece = (outbox: Outbox, good = 1) => {
  const args = { p_code: "PO-1", p_good: good };
  return outbox.give({ rpc: "report_production", args, entity: entityOf("report_production", args) });
};
export const shown = (outbox: Outbox) => outbox.entries.get().map((entry) => `${entry.id} ${entry.state}`);
/** Everything given now is lost on the way, without a second try. */
export const cut = () => {
  world.online = false;
  world.answer = lost;
};
/** Answers only when told, each command by its id. */
export const hang = () => {
  const tell = new Map<string, (outcome: SendOutcome) => void>();
  world.answer = (entry) => new Promise<SendOutcome>((resolve) => tell.set(entry.id, resolve));
  return tell;
};
export const mend = () => {
  world.online = true;
  world.answer = () => done();
  world.sent = [];
};
