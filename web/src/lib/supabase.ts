import { AuthClient } from "@supabase/auth-js";
import { PostgrestClient } from "@supabase/postgrest-js";
import { RealtimeClient } from "@supabase/realtime-js";
import type { Database } from "./database.gen";
import { person } from "./person";

/**
 * The parts of supabase-js that this client uses, put together as supabase-js does it. Storage and functions stay out:
 * they would be a tenth of the first load.
 */
export interface Client {
  auth: InstanceType<typeof AuthClient>;
  realtime: RealtimeClient;
  from: PostgrestClient<Database>["from"];
  rpc: PostgrestClient<Database>["rpc"];
}

let client: Client | undefined;

function compose(url: string, key: string): Client {
  const auth = new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: key },
    storageKey: "takt.auth",
    persistSession: true,
    autoRefreshToken: true,
    detectSessionInUrl: false,
  });
  const token = async () => (await auth.getSession()).data.session?.access_token ?? null;
  const signed: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set("apikey", key);
    headers.set("authorization", `Bearer ${(await token()) ?? key}`);
    const standing = person.get();
    if (standing) headers.set("x-takt-person", standing.token);
    return fetch(input, { ...init, headers });
  };
  const rest = new PostgrestClient<Database>(`${url}/rest/v1`, { fetch: signed });
  const realtime = new RealtimeClient(`${url.replace(/^http/, "ws")}/realtime/v1`, {
    params: { apikey: key },
    accessToken: token,
  });
  auth.onAuthStateChange((event, session) => {
    if (event === "TOKEN_REFRESHED" || event === "SIGNED_IN") void realtime.setAuth(session?.access_token ?? null);
  });
  return { auth, realtime, from: rest.from.bind(rest), rpc: rest.rpc.bind(rest) };
}

/** Reads /config.json ({supabase_url, publishable_key}) and makes the one client. Throws when it cannot be read. */
export async function connect(): Promise<Client> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`config.json: HTTP ${answer.status}`);
  const config = (await answer.json()) as { supabase_url: string; publishable_key: string };
  client = compose(config.supabase_url || location.origin, config.publishable_key);
  return client;
}

/** The client; connect() must have been awaited. */
export function db(): Client {
  if (!client) throw new Error("connect() comes first");
  return client;
}
