import { person } from "./person";
import { RpcError, rpc } from "./rpc";
import { createStore, rememberedStore } from "./store";
import { db } from "./supabase";
import type { Who } from "./types";

export interface Session {
  /** locked: this is a shared station and nobody has identified. */
  status: "starting" | "out" | "locked" | "in";
  /** Who acts: the person who signed in, or who stands at the station. */
  who: Who | null;
  /** The device, where this browser is a shared station. */
  station: Who | null;
  /** Why there is no `who` although somebody signed in, as thrown. */
  problem: unknown;
}

const OUT: Session = { status: "out", who: null, station: null, problem: null };
export const session = createStore<Session>({ ...OUT, status: "starting" });
/** The account it was last time, so that the shell opens without a network. Decides nothing: the server asks again. */
const remembered = rememberedStore<Who | null>("takt.who", null);

const leaving = new Set<() => void | Promise<void>>();
/** `forget` runs at every sign-out and when a station locks, before the next person can begin. */
export function onLeave(forget: () => void | Promise<void>): void {
  leaving.add(forget);
}

export const isStation = (who: Who | null): boolean => who?.role === "device.kiosk";

/** Who is here changes with every round; an answer about an earlier one says nothing any more. */
let round = 0;

function begin(who: Who): void {
  const { station } = session.get();
  if (isStation(who)) session.set({ status: "locked", who: null, station: who, problem: null });
  else session.set({ status: "in", who, station: person.get() ? station : null, problem: null });
  if (!person.get()) remembered.set(who);
}

/** Asks the server who this browser is; without an answer it is whoever it was. */
export async function identify(): Promise<void> {
  round += 1;
  const asked = round;
  try {
    const who = await rpc<Who>("whoami");
    if (asked === round) begin(who);
  } catch (problem) {
    if (asked !== round) return; // also when rpc() has locked the station
    const kept = session.get().who ?? remembered.get();
    if (problem instanceof RpcError && problem.canRepeat && kept) begin(kept);
    else await end(problem instanceof RpcError && problem.kind === "signed-out" ? null : problem);
  }
}

/** Finds out who is signed in; call once after connect(). */
export async function startSession(): Promise<void> {
  const { data, error } = await db().auth.getSession();
  const kept = remembered.get();
  if (data.session) await identify();
  else if (error && kept) begin(kept);
  else await end(null);
  if (session.get().status === "locked") await forgetAll(); // a reload locks, and left behind what was on the screen
  db().auth.onAuthStateChange((event) => {
    if (event === "SIGNED_OUT" && session.get().status !== "out") void leave();
  });
  person.subscribe(() => {
    if (person.get() === null && session.get().station) void lockNow();
  });
}

/** Signs in with e-mail and password. Throws Error with Auth's sentence. */
export async function signIn(email: string, password: string): Promise<void> {
  const { error } = await db().auth.signInWithPassword({ email, password });
  if (error) throw error;
  await identify();
}

async function forgetAll(): Promise<void> {
  for (const forget of leaving) await forget();
}

/** Nobody is signed in any more, and nothing that anybody has read stays. */
async function end(problem: unknown): Promise<void> {
  round += 1;
  session.set({ ...OUT, problem });
  await forgetAll();
}

async function lockNow(): Promise<void> {
  round += 1;
  session.set((old) => ({ ...old, status: "locked", who: null }));
  await forgetAll();
}

async function leave(): Promise<void> {
  const ended = end(null);
  remembered.set(null);
  person.set(null);
  await ended;
}

export async function signOut(): Promise<void> {
  await db().auth.signOut({ scope: "local" });
  await leave();
}

/** Asks the server again, for instance when the network is back. */
export async function refreshWho(): Promise<void> {
  if (session.get().status === "in") await identify();
}

/** For showing and hiding only; the RPCs decide. */
export function may(who: Who | null, permission: string): boolean {
  return who?.permissions.includes(permission) ?? false;
}
