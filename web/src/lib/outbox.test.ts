import { beforeEach, expect, test } from "vitest";
import { indexedStorage } from "./local-db";
import { begin, cut, done, lost, mend, no, open, piece, shown, store, world } from "./outbox.world";
import type { SendOutcome, Waiting } from "./waiting";
import { entityOf } from "./waits";

beforeEach(begin);

test("commands go out in the order in which they were given, once", async () => {
  const outbox = open();
  cut();
  for (const place of ["a", "b", "c"]) await store(outbox, place, "ticket-1");
  mend();
  await Promise.all([outbox.drain(), outbox.drain()]);
  expect(world.sent).toEqual(["id-1", "id-2", "id-3"]);
  await outbox.drain();
  expect(world.sent.length).toBe(3);
  expect(await indexedStorage.all()).toEqual([]);
});

test("a count whose answer was lost keeps its request id through a reload, and the tap an hour later counts once", async () => {
  cut();
  expect((await piece(open())).state).toBe("queued");
  world.time += 3_600_000;
  const after = open();
  expect(await piece(after)).toMatchObject({ state: "queued", entry: { id: "id-1" } }); // the glove, again
  expect(shown(after)).toEqual(["id-1 waiting"]);
  mend();
  await after.drain();
  expect([world.sent, shown(after)]).toEqual([["id-1"], []]);
  expect(await piece(after)).toEqual({ state: "done", data: null }); // answered: the next piece is another one
  expect(world.sent).toEqual(["id-1", "id-2"]);
});

test("a page that is gone before the answer leaves its command behind, with its request id", async () => {
  let given: (entry: Waiting) => void = () => undefined;
  const reached = new Promise<Waiting>((resolve) => {
    given = resolve;
  });
  world.answer = (entry) => {
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
  expect(world.sent).toEqual(["id-1"]);
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
  world.answer = () => (++tries === 1 ? lost() : done("counted"));
  const [first, second] = await Promise.all([piece(outbox), piece(outbox)]);
  expect([first, second]).toEqual(Array(2).fill({ state: "done", data: "counted" }));
  expect(world.sent).toEqual(["id-1", "id-1"]);
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
  expect([world.sent, shown(after)]).toEqual([[], ["id-1 unanswered"]]);
  await after.give(undo);
  expect([world.sent, shown(after)]).toEqual([["id-1"], []]);
  expect(await indexedStorage.all()).toEqual([]);
});

test("the same words a day later are another wish; the old one still waits for a person", async () => {
  const outbox = open();
  cut();
  const pack = { rpc: "finalize_pack", args: { p_sn: "1" } };
  await expect(outbox.give(pack)).rejects.toThrow();
  world.time += 24 * 3_600_000;
  mend();
  await outbox.give(pack);
  expect([world.sent, shown(outbox)]).toEqual([["id-2"], ["id-1 unanswered"]]);
  await outbox.retry("id-1");
  expect([world.sent, shown(outbox)]).toEqual([["id-2", "id-1"], []]);
});

test("a machine's commands carry the time of the tap, by the server's clock, and keep their order", async () => {
  const outbox = open();
  cut();
  for (const rpc of ["start_stop", "end_stop"]) {
    await outbox.give({ rpc, args: { p_machine: "SAW-1" }, entity: entityOf(rpc, { p_machine: "SAW-1" }) });
    world.time += 60_000;
  }
  world.time += 3_600_000;
  mend();
  await outbox.drain();
  const given = world.asked.slice(-2).map(({ rpc, args }) => [rpc, args.p_at]);
  expect(given).toEqual([
    ["start_stop", "2026-11-22T10:00:01.000Z"],
    ["end_stop", "2026-11-22T10:01:01.000Z"],
  ]);
});

test("an instant that a person gave is not the time of the tap", async () => {
  const args = { p_machine: "SAW-1", p_at: "2026-11-22T08:00:00.000Z" };
  await open().give({ rpc: "start_stop", args, entity: "SAW-1" });
  expect(world.asked[0]?.args).toEqual(args);
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
  expect(world.sent).toEqual(["id-1", "id-2"]);
});

test("a refusal holds back its own ticket only, until somebody decides", async () => {
  const outbox = open();
  cut();
  await store(outbox, "a", "ticket-1");
  await store(outbox, "b", "ticket-1");
  await store(outbox, "c", "ticket-2");
  mend();
  world.answer = (entry) => (entry.id === "id-1" ? no() : done());
  await outbox.drain();
  expect(world.sent).toEqual(["id-1", "id-3"]);
  expect(shown(outbox)).toEqual(["id-1 refused", "id-2 waiting"]);
  expect(outbox.entries.get()[0]?.refusal?.message).toBe("No.");
  await outbox.retry("id-1");
  expect(shown(outbox)).toEqual(["id-1 refused", "id-2 waiting"]);
  await outbox.drop("id-1");
  expect(world.sent).toEqual(["id-1", "id-3", "id-1", "id-2"]);
  expect(shown(outbox)).toEqual([]);
});

test("what is refused at once is nobody's business later", async () => {
  const outbox = open();
  world.answer = no;
  await expect(piece(outbox)).rejects.toMatchObject({ hint: "order.closed" });
  expect([shown(outbox), await indexedStorage.all()]).toEqual([[], []]);
});
