import { expect, test } from "vitest";
import { type Fetched, Follower, SeenEvents } from "./cursor";

const event = (id: number): Fetched => ({ cursor: `${id}:0`, id, stream: "order", stream_id: `o-${id}` });

/** A history that grows; `since` answers what is after the cursor, as events_since does. */
function plant() {
  const events: Fetched[] = [];
  const heard: string[] = [];
  const history = {
    now: async () => `${events.at(-1)?.id ?? 0}:0`,
    since: async (cursor: string, limit: number) =>
      events.filter((e) => e.id > Number.parseInt(cursor, 10)).slice(0, limit),
  };
  const follower = new Follower(
    history,
    (list) => heard.push(...list.map((e) => e.stream_id)),
    () => heard.push("reset"),
    (error) => error === "ahead",
    2,
  );
  const hear = (id: number) => follower.hear({ event_id: id, stream: "order", stream_id: `o-${id}` });
  return { events, heard, history, follower, hear };
}

test("what was missed comes, once and in order, over several pages", async () => {
  const { events, heard, follower } = plant();
  events.push(event(1));
  await follower.catchUp();
  expect(heard).toEqual([]); // the state was read after the cursor
  events.push(event(2), event(3), event(4), event(5), event(6));
  await follower.catchUp();
  await follower.catchUp();
  expect(heard).toEqual(["o-2", "o-3", "o-4", "o-5", "o-6"]);
});

test("an event that comes by broadcast and by history counts once", async () => {
  const { events, heard, follower, hear } = plant();
  await follower.catchUp();
  events.push(event(1), event(2));
  hear(2);
  hear(2);
  await follower.catchUp();
  expect(heard).toEqual(["o-2", "o-1"]);
});

test("a failed catch-up loses nothing", async () => {
  const { events, heard, history, follower } = plant();
  await follower.catchUp();
  events.push(event(1), event(2), event(3));
  const since = history.since;
  let calls = 0;
  history.since = (cursor, limit) => (++calls === 2 ? Promise.reject(new Error("cut")) : since(cursor, limit));
  await expect(follower.catchUp()).rejects.toThrow("cut");
  await follower.catchUp();
  expect(heard).toEqual(["o-1", "o-2", "o-3"]);
});

test("a history that was restored behind the cursor starts anew", async () => {
  const { heard, history, follower } = plant();
  await follower.catchUp();
  history.since = () => Promise.reject("ahead");
  await follower.catchUp();
  expect(heard).toEqual(["reset"]);
});

test("catch-ups at the same time are one", async () => {
  const { events, heard, follower } = plant();
  await follower.catchUp();
  events.push(event(1));
  await Promise.all([follower.catchUp(), follower.catchUp(), follower.catchUp()]);
  expect(heard).toEqual(["o-1"]);
});

test("old ids are forgotten first", () => {
  const seen = new SeenEvents(3);
  for (const id of [1, 2, 3, 4]) seen.add(id);
  expect([seen.add(2), seen.add(4), seen.add(1)]).toEqual([false, false, true]);
});
