import { RpcError, rpc } from "./rpc";
import { createStore, rememberedStore } from "./store";
import { db } from "./supabase";
import type { Who } from "./types";

export interface Session {
  status: "starting" | "out" | "in";
  /** The account this browser is signed in with: a person, or the device of a station. */
  who: Who | null;
  /** The person at a shared station; null while the account itself acts. Set by the station mode once there is one. */
  acting: { user_id: string; name: string } | null;
  /** Why there is no `who` although somebody signed in, as thrown. */
  problem: unknown;
}

export const session = createStore<Session>({ status: "starting", who: null, acting: null, problem: null });
/** Who it was last time, so that the shell opens without a network. Decides nothing: the server asks again. */
const remembered = rememberedStore<Who | null>("takt.who", null);

const leaving = new Set<() => void | Promise<void>>();
/** `forget` runs at every sign-out, before the next person can sign in. */
export function onLeave(forget: () => void | Promise<void>): void {
  leaving.add(forget);
}

async function identify(): Promise<void> {
  try {
    const who = await rpc<Who>("whoami");
    remembered.set(who);
    session.set((old) => ({ ...old, status: "in", who, problem: null }));
  } catch (problem) {
    const kept = remembered.get();
    if (problem instanceof RpcError && problem.canRepeat && kept) {
      session.set((old) => ({ ...old, status: "in", who: kept, problem: null }));
    } else if (problem instanceof RpcError && problem.kind === "signed-out") {
      session.set({ status: "out", who: null, acting: null, problem: null });
    } else {
      session.set({ status: "out", who: null, acting: null, problem });
    }
  }
}

/** Finds out who is signed in; call once after connect(). */
export async function startSession(): Promise<void> {
  const { data, error } = await db().auth.getSession();
  if (data.session) await identify();
  else if (error && remembered.get()) session.set((old) => ({ ...old, status: "in", who: remembered.get() }));
  else session.set((old) => ({ ...old, status: "out" }));
  db().auth.onAuthStateChange((event) => {
    if (event === "SIGNED_OUT" && session.get().status === "in") void leave();
  });
}

/** Signs in with e-mail and password. Throws Error with Auth's sentence. */
export async function signIn(email: string, password: string): Promise<void> {
  const { error } = await db().auth.signInWithPassword({ email, password });
  if (error) throw error;
  await identify();
}

async function leave(): Promise<void> {
  session.set({ status: "out", who: null, acting: null, problem: null });
  remembered.set(null);
  for (const forget of leaving) await forget();
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
