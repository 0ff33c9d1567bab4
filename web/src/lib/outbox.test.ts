import "fake-indexeddb/auto";
import { beforeEach, expect, test, vi } from "vitest";
import { indexedStorage } from "./local-db";
import { Outbox, type SendOutcome, type Waiting } from "./outbox";
import { toRpcError } from "./rpc";
import { entityOf, isQueueable } from "./waits";

let sent: string[];
let asked: Waiting[];
let answer: (entry: Waiting) => SendOutcome | Promise<SendOutcome>;
let user: string | null;
let online: boolean;
let made: number;
let time: number;

/** A page of the client: what an earlier one left behind is on the disk only. */
const open = () =>
  new Outbox({
    storage: indexedStorage,
    send: async (entry) => {
      sent.push(entry.id);
      asked.push(entry);
      return answer(entry);
    },
    user: () => user,
    isOnline: () => online,
    newId: () => `id-${++made}`,
    now: () => time,
    serverNow: () => time + 1000,
  });

const done = (data: unknown = null): SendOutcome => ({ kind: "done", data });
const lost = (): SendOutcome => ({ kind: "later", error: toRpcError({ message: "Failed to fetch" }, 0) });
const signedOut = (): SendOutcome => ({
  kind: "later",
  error: toRpcError({ message: "Locked.", hint: "station.locked", code: "PT401" }, 401),
});
const no = (): SendOutcome => ({
  kind: "refused",
  error: toRpcError({ message: "No.", hint: "order.closed", code: "PT409" }, 409),
});

beforeEach(async () => {
  [sent, asked, user, online, made, time] = [[], [], "olga", true, 0, Date.parse("2026-11-22T10:00:00Z")];
  answer = () => done();
  for (const entry of await indexedStorage.all()) await indexedStorage.remove(entry.id);
});

const store = (outbox: Outbox, storage: string, ticket: string) =>
  outbox.give({ rpc: "set_storage", args: { p_storage: storage }, entity: ticket });
const piece = (outbox: Outbox, good = 1) => {
  const args = { p_code: "PO-1", p_good: good };
  return outbox.give({ rpc: "report_production", args, entity: entityOf("report_production", args) });
};
const shown = (outbox: Outbox) => outbox.entries.get().map((entry) => `${entry.id} ${entry.state}`);
/** Everything given now is lost on the way, without a second try. */
const cut = () => {
  online = false;
  answer = lost;
};
/** Answers only when told, each command by its id. */
const hang = () => {
  const tell = new Map<string, (outcome: SendOutcome) => void>();
  answer = (entry) => new Promise<SendOutcome>((resolve) => tell.set(entry.id, resolve));
  return tell;
};
const mend = () => {
  online = true;
  answer = () => done();
  sent = [];
};

test("commands go out in the order in which they were given, once", async () => {
  const outbox = open();
  cut();
  for (const place of ["a", "b", "c"]) await store(outbox, place, "ticket-1");
  mend();
  await Promise.all([outbox.drain(), outbox.drain()]);
  expect(sent).toEqual(["id-1", "id-2", "id-3"]);
  await outbox.drain();
  expect(sent.length).toBe(3);
  expect(await indexedStorage.all()).toEqual([]);
});

test("a count whose answer was lost keeps its request id through a reload, and the tap an hour later counts once", async () => {
  cut();
  expect((await piece(open())).state).toBe("queued");
  time += 3_600_000;
  const after = open();
  expect(await piece(after)).toMatchObject({ state: "queued", entry: { id: "id-1" } }); // the glove, again
  expect(shown(after)).toEqual(["id-1 waiting"]);
  mend();
  await after.drain();
  expect([sent, shown(after)]).toEqual([["id-1"], []]);
  expect(await piece(after)).toEqual({ state: "done", data: null }); // answered: the next piece is another one
  expect(sent).toEqual(["id-1", "id-2"]);
});

test("a page that is gone before the answer leaves its command behind, with its request id", async () => {
  let given: (entry: Waiting) => void = () => undefined;
  const reached = new Promise<Waiting>((resolve) => {
    given = resolve;
  });
  answer = (entry) => {
    given(entry);
    return new Promise<SendOutcome>(() => undefined);
  };
  void piece(open());
  await reached;
  mend();
  const after = open();
  await after.load();
  expect(shown(after)).toEqual(["id-1 waiting"]);
  await after.drain();
  expect(sent).toEqual(["id-1"]);
});

test("a second identical count before the first is answered is the same one, whatever was given between", async () => {
  const outbox = open();
  cut();
  await piece(outbox, 1);
  await piece(outbox, 5);
  await piece(outbox, 1);
  expect(shown(outbox)).toEqual(["id-1 waiting", "id-2 waiting"]);
  await store(outbox, "fridge", "ticket-1");
  await store(outbox, "shelf", "ticket-1");
  await store(outbox, "fridge", "ticket-1"); // back again: another wish
  expect(outbox.entries.get().filter((entry) => entry.entity === "ticket-1").length).toBe(3);
});

test("two taps while it is under way are one command, and a lost answer is asked for once more at once", async () => {
  const outbox = open();
  let tries = 0;
  answer = () => (++tries === 1 ? lost() : done("counted"));
  const [first, second] = await Promise.all([piece(outbox), piece(outbox)]);
  expect([first, second]).toEqual(Array(2).fill({ state: "done", data: "counted" }));
  expect(sent).toEqual(["id-1", "id-1"]);
  expect(await indexedStorage.all()).toEqual([]);
});

test("what only a person may repeat stays with its request id, and is never sent by itself", async () => {
  cut();
  const undo = { rpc: "undo_production", args: { p_count_id: 7 } };
  await expect(open().give(undo)).rejects.toMatchObject({ kind: "offline" });
  mend();
  const after = open();
  await after.load();
  await after.drain();
  expect([sent, shown(after)]).toEqual([[], ["id-1 unanswered"]]);
  await after.give(undo);
  expect([sent, shown(after)]).toEqual([["id-1"], []]);
  expect(await indexedStorage.all()).toEqual([]);
});

test("the same words a day later are another wish; the old one still waits for a person", async () => {
  const outbox = open();
  cut();
  const pack = { rpc: "finalize_pack", args: { p_sn: "1" } };
  await expect(outbox.give(pack)).rejects.toThrow();
  time += 24 * 3_600_000;
  mend();
  await outbox.give(pack);
  expect([sent, shown(outbox)]).toEqual([["id-2"], ["id-1 unanswered"]]);
  await outbox.retry("id-1");
  expect([sent, shown(outbox)]).toEqual([["id-2", "id-1"], []]);
});

test("a machine's commands carry the time of the tap, by the server's clock, and keep their order", async () => {
  const outbox = open();
  cut();
  for (const rpc of ["start_stop", "end_stop"]) {
    await outbox.give({ rpc, args: { p_machine: "SAW-1" }, entity: entityOf(rpc, { p_machine: "SAW-1" }) });
    time += 60_000;
  }
  time += 3_600_000;
  mend();
  await outbox.drain();
  const given = asked.slice(-2).map(({ rpc, args }) => [rpc, args.p_at]);
  expect(given).toEqual([
    ["start_stop", "2026-11-22T10:00:01.000Z"],
    ["end_stop", "2026-11-22T10:01:01.000Z"],
  ]);
});

test("an instant that a person gave is not the time of the tap", async () => {
  const args = { p_machine: "SAW-1", p_at: "2026-11-22T08:00:00.000Z" };
  await open().give({ rpc: "start_stop", args, entity: "SAW-1" });
  expect(asked[0]?.args).toEqual(args);
});

test("without an answer nothing is removed, and the same request id goes again", async () => {
  const outbox = open();
  cut();
  await store(outbox, "a", "ticket-1");
  await store(outbox, "b", "ticket-2");
  await outbox.drain();
  expect(shown(outbox)).toEqual(["id-1 waiting", "id-2 waiting"]);
  mend();
  await outbox.drain();
  expect(sent).toEqual(["id-1", "id-2"]);
});

test("a refusal holds back its own ticket only, until somebody decides", async () => {
  const outbox = open();
  cut();
  await store(outbox, "a", "ticket-1");
  await store(outbox, "b", "ticket-1");
  await store(outbox, "c", "ticket-2");
  mend();
  answer = (entry) => (entry.id === "id-1" ? no() : done());
  await outbox.drain();
  expect(sent).toEqual(["id-1", "id-3"]);
  expect(shown(outbox)).toEqual(["id-1 refused", "id-2 waiting"]);
  expect(outbox.entries.get()[0]?.refusal?.message).toBe("No.");
  await outbox.retry("id-1");
  expect(shown(outbox)).toEqual(["id-1 refused", "id-2 waiting"]);
  await outbox.drop("id-1");
  expect(sent).toEqual(["id-1", "id-3", "id-1", "id-2"]);
  expect(shown(outbox)).toEqual([]);
});

test("what is refused at once is nobody's business later", async () => {
  const outbox = open();
  answer = no;
  await expect(piece(outbox)).rejects.toMatchObject({ hint: "order.closed" });
  expect([shown(outbox), await indexedStorage.all()]).toEqual([[], []]);
});

const lot = { rpc: "receive_lot", args: { p_sku: "FLOUR", p_qty: 5 } };

test("a command that was perhaps done keeps its request id when the session has ended meanwhile", async () => {
  const outbox = open();
  cut();
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "offline" });
  mend();
  answer = signedOut;
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  answer = () => ({ kind: "refused", error: toRpcError({ message: "Bad gateway" }, 500) });
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "broken" });
  await outbox.retry("id-1");
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  mend();
  const after = open();
  await after.give(lot);
  expect([sent, shown(after)]).toEqual([["id-1"], []]);
});

test("a lost answer and then an ended session leave the command to who gave it, with its request id", async () => {
  const outbox = open();
  answer = () => (sent.length % 2 ? lost() : signedOut());
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect((await piece(outbox)).state).toBe("queued");
  expect(shown(outbox)).toEqual(["id-1 unanswered", "id-2 waiting"]);
});

test("what was never sent before and met an ended session is nothing to ask about", async () => {
  const outbox = open();
  answer = signedOut;
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect([shown(outbox), await indexedStorage.all()]).toEqual([[], []]);
});

test("an answer that nobody of ours gave leaves a command in doubt; a defect that the database told does not", async () => {
  const outbox = open();
  answer = () => ({ kind: "refused", error: toRpcError({ message: "<html>" }, 500) });
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "broken" });
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  answer = () => ({ kind: "refused", error: toRpcError({ message: "none", code: "PGRST202" }, 404) });
  await expect(outbox.give({ ...lot, args: {} })).rejects.toMatchObject({ kind: "broken" });
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
});

test("without a disk a command without an answer keeps its request id as long as the page", async () => {
  const { put } = indexedStorage;
  indexedStorage.put = () => Promise.reject(new Error("The disk is full."));
  try {
    const outbox = open();
    cut();
    await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "offline" });
    await outbox.load(); // another tab's entries are read every few seconds
    expect(shown(outbox)).toEqual(["id-1 unanswered"]);
    mend();
    await outbox.give(lot);
    await outbox.load();
    expect([sent, shown(outbox)]).toEqual([["id-1"], []]);
  } finally {
    indexedStorage.put = put;
  }
});

test("a command under way stays in sight when the disk is read again", async () => {
  const outbox = open();
  cut();
  await expect(outbox.give(lot)).rejects.toThrow();
  const tell = hang();
  const again = outbox.give(lot);
  await vi.waitUntil(() => tell.has("id-1"));
  await outbox.load();
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  tell.get("id-1")?.(done());
  await again;
  expect(shown(outbox)).toEqual([]);
});

test("a command waits for the one of the same ticket that is under way; others do not", async () => {
  const outbox = open();
  const tell = hang();
  const given = [store(outbox, "fridge", "t-1"), store(outbox, "shelf", "t-1"), store(outbox, "shelf", "t-2")];
  await vi.waitUntil(() => tell.has("id-1") && tell.has("id-3"));
  expect(sent).toEqual(["id-1", "id-3"]);
  online = false;
  tell.get("id-1")?.(lost());
  tell.get("id-3")?.(done());
  expect((await Promise.all(given)).map((each) => each.state)).toEqual(["queued", "queued", "done"]);
  expect(shown(outbox)).toEqual(["id-1 waiting", "id-2 waiting"]);
  mend();
  await outbox.drain();
  expect(sent).toEqual(["id-1", "id-2"]); // the shelf is where it lies
});

test("a double tap is one command also behind another; back again is another wish", async () => {
  const outbox = open();
  const tell = hang();
  const given = ["fridge", "shelf", "shelf", "fridge"].map((place) => store(outbox, place, "t-1"));
  for (const id of ["id-1", "id-2", "id-3"]) {
    await vi.waitUntil(() => tell.has(id));
    tell.get(id)?.(done(id));
  }
  expect(await Promise.all(given)).toMatchObject(["id-1", "id-2", "id-2", "id-3"].map((data) => ({ data })));
  expect([sent, await indexedStorage.all()]).toEqual([["id-1", "id-2", "id-3"], []]);
});

test("what stood behind another is not sent by who took over meanwhile", async () => {
  const outbox = open();
  const tell = hang();
  const first = store(outbox, "fridge", "t-1");
  const second = store(outbox, "shelf", "t-1");
  const third = outbox.give({ rpc: "undo_last", args: {}, entity: "t-1" });
  await vi.waitUntil(() => tell.has("id-1"));
  user = "tom";
  tell.get("id-1")?.(done());
  expect(await first).toMatchObject({ state: "done" });
  expect(await second).toMatchObject({ state: "queued", entry: { user_id: "olga" } });
  await expect(third).rejects.toMatchObject({ kind: "signed-out" });
  expect([sent, shown(outbox)]).toEqual([["id-1"], ["id-2 waiting"]]);
});

test("nobody sends what somebody else gave, nor waits for it", async () => {
  const outbox = open();
  cut();
  await piece(outbox);
  mend();
  user = "tom";
  await outbox.drain();
  expect(sent).toEqual([]);
  expect(await piece(outbox)).toMatchObject({ state: "done" });
  expect(sent).toEqual(["id-2"]);
  user = null;
  await outbox.drain();
  expect(shown(outbox)).toEqual(["id-1 waiting"]);
});

test("a new command queues behind those of its ticket", async () => {
  const outbox = open();
  cut();
  await store(outbox, "a", "ticket-1");
  mend();
  expect((await store(outbox, "b", "ticket-1")).state).toBe("queued");
  expect((await store(outbox, "b", "ticket-2")).state).toBe("done");
  expect(shown(outbox)).toEqual(["id-1 waiting", "id-2 waiting"]);
});

test("what depends on the moment never waits", () => {
  for (const name of ["scan", "undo_last", "undo_production", "cancel_order", "update_repair", "scan_step"]) {
    expect(isQueueable(name), name).toBe(false);
  }
});
