import { beforeEach, expect, test, vi } from "vitest";
import { indexedStorage } from "./local-db";
import { begin, cut, done, hang, lost, mend, open, piece, shown, signedOut, store, world } from "./outbox.world";
import { toRpcError } from "./rpc";
import { isQueueable } from "./waits";

beforeEach(begin);

const lot = { rpc: "receive_lot", args: { p_sku: "FLOUR", p_qty: 5 } };

test("a command that was perhaps done keeps its request id when the session has ended meanwhile", async () => {
  const outbox = open();
  cut();
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "offline" });
  mend();
  world.answer = signedOut;
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  world.answer = () => ({ kind: "refused", error: toRpcError({ message: "Bad gateway" }, 500) });
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "broken" });
  await outbox.retry("id-1");
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  mend();
  const after = open();
  await after.give(lot);
  expect([world.sent, shown(after)]).toEqual([["id-1"], []]);
});

test("a lost answer and then an ended session leave the command to who gave it, with its request id", async () => {
  const outbox = open();
  world.answer = () => (world.sent.length % 2 ? lost() : signedOut());
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect((await piece(outbox)).state).toBe("queued");
  expect(shown(outbox)).toEqual(["id-1 unanswered", "id-2 waiting"]);
});

test("what was never sent before and met an ended session is nothing to ask about", async () => {
  const outbox = open();
  world.answer = signedOut;
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "signed-out" });
  expect([shown(outbox), await indexedStorage.all()]).toEqual([[], []]);
});

test("an answer that nobody of ours gave leaves a command in doubt; a defect that the database told does not", async () => {
  const outbox = open();
  world.answer = () => ({ kind: "refused", error: toRpcError({ message: "<html>" }, 500) });
  await expect(outbox.give(lot)).rejects.toMatchObject({ kind: "broken" });
  expect(shown(outbox)).toEqual(["id-1 unanswered"]);
  world.answer = () => ({ kind: "refused", error: toRpcError({ message: "none", code: "PGRST202" }, 404) });
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
    expect([world.sent, shown(outbox)]).toEqual([["id-1"], []]);
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
  expect(world.sent).toEqual(["id-1", "id-3"]);
  world.online = false;
  tell.get("id-1")?.(lost());
  tell.get("id-3")?.(done());
  expect((await Promise.all(given)).map((each) => each.state)).toEqual(["queued", "queued", "done"]);
  expect(shown(outbox)).toEqual(["id-1 waiting", "id-2 waiting"]);
  mend();
  await outbox.drain();
  expect(world.sent).toEqual(["id-1", "id-2"]); // the shelf is where it lies
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
  expect([world.sent, await indexedStorage.all()]).toEqual([["id-1", "id-2", "id-3"], []]);
});

test("what stood behind another is not sent by who took over meanwhile", async () => {
  const outbox = open();
  const tell = hang();
  const first = store(outbox, "fridge", "t-1");
  const second = store(outbox, "shelf", "t-1");
  const third = outbox.give({ rpc: "undo_last", args: {}, entity: "t-1" });
  await vi.waitUntil(() => tell.has("id-1"));
  world.user = "tom";
  tell.get("id-1")?.(done());
  expect(await first).toMatchObject({ state: "done" });
  expect(await second).toMatchObject({ state: "queued", entry: { user_id: "olga" } });
  await expect(third).rejects.toMatchObject({ kind: "signed-out" });
  expect([world.sent, shown(outbox)]).toEqual([["id-1"], ["id-2 waiting"]]);
});

test("nobody sends what somebody else gave, nor waits for it", async () => {
  const outbox = open();
  cut();
  await piece(outbox);
  mend();
  world.user = "tom";
  await outbox.drain();
  expect(world.sent).toEqual([]);
  expect(await piece(outbox)).toMatchObject({ state: "done" });
  expect(world.sent).toEqual(["id-2"]);
  world.user = null;
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
