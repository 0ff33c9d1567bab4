import { AuthClient, isAuthRetryableFetchError } from "@supabase/auth-js";
import { PostgrestClient } from "@supabase/postgrest-js";
import type { RealtimeClient } from "@supabase/realtime-js";
import type { Database } from "./database.gen";
import { person } from "./person";
import { serverClock } from "./server-clock";

/**
 * The parts of supabase-js that this client uses, put together as supabase-js does it. Storage and functions stay out:
 * they would be a tenth of the first load; what photos need of Storage is in photo.ts. What is broadcast is as large, and
 * nobody waits for it: it is loaded when somebody listens.
 */
export interface Client {
  auth: InstanceType<typeof AuthClient>;
  /** Loaded the first time. Throws when it cannot be. */
  realtime: () => Promise<RealtimeClient>;
  from: PostgrestClient<Database>["from"];
  rpc: PostgrestClient<Database>["rpc"];
  /** POSTs to the gatekeeper, where the scanner's text is read for the database. */
  post: (path: string, body: object) => Promise<Response>;
  /** GETs from the gatekeeper what no RPC answers as such: files. */
  get: (path: string) => Promise<Response>;
  /** The project's address, for what has no client here. */
  url: string;
  /** What a request to it carries: key, token, and who stands at a shared station. Throws TypeError without a network. */
  headers(given?: HeadersInit): Promise<Headers>;
}

let client: Client | undefined;

const ANSWER_MS = 20_000;
const SLOWEST = 10; // bytes in a millisecond

/** A signal that aborts after `ms`, or with `given`. AbortSignal.any is too young for tablets that are in use. */
function within(ms: number, given: AbortSignal | null | undefined): AbortSignal {
  const late = AbortSignal.timeout(ms);
  if (!given) return late;
  const either = new AbortController();
  for (const signal of [given, late]) signal.addEventListener("abort", () => either.abort(signal.reason));
  if (given.aborted) either.abort(given.reason);
  return either.signal;
}

/** fetch, but no answer within 20 s (longer for a long body) counts as no network: a browser alone waits for minutes. */
const patient: typeof fetch = (input, init) => {
  const length = typeof init?.body === "string" ? init.body.length : 0;
  return fetch(input, { ...init, signal: within(ANSWER_MS + length / SLOWEST, init?.signal) });
};

function compose(url: string, api: string, key: string): Client {
  const auth = new AuthClient({
    fetch: patient,
    url: `${url}/auth/v1`,
    headers: { apikey: key },
    storageKey: "takt.auth",
    persistSession: true,
    autoRefreshToken: true,
    detectSessionInUrl: false,
  });
  const token = async () => (await auth.getSession()).data.session?.access_token ?? null;
  const headers = async (given?: HeadersInit): Promise<Headers> => {
    const standing = person.get(); // before any wait: what one person gave is never sent as the next
    const { data, error } = await auth.getSession();
    if (isAuthRetryableFetchError(error)) throw new TypeError(error.message); // without its token it would count as signed out
    const all = new Headers(given);
    all.set("apikey", key);
    all.set("authorization", `Bearer ${data.session?.access_token ?? key}`);
    if (standing) all.set("x-takt-person", standing.token);
    return all;
  };
  const signed: typeof fetch = async (input, init) => {
    const carried = await headers(init?.headers);
    const asked = Date.now();
    const answer = await patient(input, { ...init, headers: carried });
    if (init?.method === "POST") serverClock.hear(asked, answer.headers.get("date")); // what was read may be a kept copy
    return answer;
  };
  const rest = new PostgrestClient<Database>(`${url}/rest/v1`, { fetch: signed });
  let broadcasts: RealtimeClient | undefined;
  const realtime = async () => {
    const { RealtimeClient } = await import("@supabase/realtime-js");
    broadcasts ??= new RealtimeClient(`${url.replace(/^http/, "ws")}/realtime/v1`, {
      params: { apikey: key },
      accessToken: token,
    });
    return broadcasts;
  };
  auth.onAuthStateChange((event, session) => {
    if (event === "TOKEN_REFRESHED" || event === "SIGNED_IN") void broadcasts?.setAuth(session?.access_token ?? null);
  });
  const json = { "content-type": "application/json" };
  const post = (path: string, body: object) =>
    signed(`${api}${path}`, { method: "POST", headers: json, body: JSON.stringify(body) });
  const get = (path: string) => signed(`${api}${path}`);
  return { auth, realtime, from: rest.from.bind(rest), rpc: rest.rpc.bind(rest), post, get, url, headers };
}

/** Reads /config.json ({supabase_url, publishable_key}) and makes the one client. Throws when it cannot be read. */
export async function connect(): Promise<Client> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`config.json: HTTP ${answer.status}`);
  const config = (await answer.json()) as { supabase_url: string; api_url?: string; publishable_key: string };
  client = compose(config.supabase_url || location.origin, config.api_url ?? "", config.publishable_key);
  return client;
}

/** The client; connect() must have been awaited. */
export function db(): Client {
  if (!client) throw new Error("connect() comes first");
  return client;
}
