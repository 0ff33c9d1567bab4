import "fake-indexeddb/auto";
import { beforeEach, expect, test } from "vitest";
import { indexedStorage } from "./local-db";
import { isQueueable, Outbox, type SendOutcome, type Waiting } from "./outbox";

let sent: string[];
let answer: (entry: Waiting) => SendOutcome;
let user: string | null;
let made: number;

const open = () =>
  new Outbox(
    indexedStorage,
    async (entry) => {
      sent.push(entry.id);
      return answer(entry);
    },
    () => user,
  );

beforeEach(async () => {
  sent = [];
  answer = () => ({ kind: "done" });
  user = "olga";
  made = 0;
  for (const entry of await indexedStorage.all()) await indexedStorage.remove(entry.id);
});

const add = (outbox: Outbox, id: string, entity: string, user_id = "olga") =>
  outbox.add({ id, entity, rpc: "set_storage", args: {}, user_id, at: ++made });
const no = (): SendOutcome => ({ kind: "refused", hint: "order.closed", message: "No.", details: {} });
const ids = (outbox: Outbox) => outbox.entries.get().map((entry) => `${entry.id} ${entry.state}`);

test("commands go out in the order in which they were given, once", async () => {
  const outbox = open();
  for (const id of ["a", "b", "c"]) await add(outbox, id, "ticket-1");
  await Promise.all([outbox.drain(), outbox.drain()]);
  expect(sent).toEqual(["a", "b", "c"]);
  await outbox.drain();
  expect(sent).toEqual(["a", "b", "c"]);
  expect(await indexedStorage.all()).toEqual([]);
});

test("they survive a reload, with their request ids and their order", async () => {
  const before = open();
  await add(before, "z", "ticket-1");
  await add(before, "a", "ticket-1");
  const after = open();
  await after.load();
  await after.drain();
  expect(sent).toEqual(["z", "a"]);
});

test("without an answer nothing is removed, and the same request id goes again", async () => {
  const outbox = open();
  await add(outbox, "a", "ticket-1");
  await add(outbox, "b", "ticket-2");
  answer = () => ({ kind: "later" });
  await outbox.drain();
  expect(ids(outbox)).toEqual(["a waiting", "b waiting"]);
  answer = () => ({ kind: "done" });
  await outbox.drain();
  expect(sent).toEqual(["a", "a", "b"]);
});

test("a refusal holds back its own ticket only, until somebody decides", async () => {
  const outbox = open();
  await add(outbox, "a", "ticket-1");
  await add(outbox, "b", "ticket-1");
  await add(outbox, "c", "ticket-2");
  answer = (entry) => (entry.id === "a" ? no() : { kind: "done" });
  await outbox.drain();
  expect(sent).toEqual(["a", "c"]);
  expect(ids(outbox)).toEqual(["a refused", "b waiting"]);
  expect(outbox.entries.get()[0]?.refusal?.message).toBe("No.");
  await outbox.drop("a");
  expect(sent).toEqual(["a", "c", "b"]);
  expect(ids(outbox)).toEqual([]);
});

test("a refused command can be tried again", async () => {
  const outbox = open();
  await add(outbox, "a", "ticket-1");
  answer = no;
  await outbox.drain();
  answer = () => ({ kind: "done" });
  await outbox.retry("a");
  expect(sent).toEqual(["a", "a"]);
  expect(ids(outbox)).toEqual([]);
});

test("nobody sends what somebody else gave", async () => {
  const outbox = open();
  await add(outbox, "a", "ticket-1", "olga");
  await add(outbox, "b", "ticket-2", "tom");
  user = "tom";
  await outbox.drain();
  expect(sent).toEqual(["b"]);
  user = null;
  await outbox.drain();
  expect(ids(outbox)).toEqual(["a waiting"]);
});

test("a new command queues behind those of its ticket", async () => {
  const outbox = open();
  await add(outbox, "a", "ticket-1");
  expect([outbox.holds("ticket-1"), outbox.holds("ticket-2")]).toEqual([true, false]);
});

test("what depends on the moment never waits", () => {
  for (const name of ["scan", "undo_last", "cancel_order", "qc_return_to_decorating", "acknowledge_order_change"]) {
    expect(isQueueable(name), name).toBe(false);
  }
});
