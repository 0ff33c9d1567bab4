// Reads {api_url, publishable_key, email, password, order} from stdin; scans the order to Complete while
// listening; prints {stage, heard: [event ids], events: [event ids]}.
import { createClient } from "@supabase/supabase-js";
import { readFileSync } from "node:fs";

const given = JSON.parse(readFileSync(0, "utf8"));
const client = createClient(given.api_url, given.publishable_key, { auth: { persistSession: false } });

async function must({ data, error }) {
  if (error) throw new Error(JSON.stringify(error));
  return data;
}

async function until(condition, milliseconds = 30000) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("waited too long");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const { session } = await must(await client.auth.signInWithPassword({ email: given.email, password: given.password }));
await client.realtime.setAuth(session.access_token);
const heard = [];
const channel = client.channel("site:main:order", { config: { private: true } });
channel.on("broadcast", { event: "*" }, (message) => {
  if (message.payload.stream_id === given.order) heard.push(message.payload.event_id);
});
await new Promise((resolve, reject) => channel.subscribe((state, error) => {
  if (state === "SUBSCRIBED") resolve();
  if (state === "CHANNEL_ERROR") reject(error ?? new Error(state));
}));

const events = [];
const remember = (answer) => answer.changed && events.push(answer.event_id);
remember(await must(await client.rpc("handle_print_barcode", { p_order_id: given.order })));
let stage = "";
await until(async () => {
  const answer = await must(await client.rpc("scan", { p_code: given.order, p_request_id: crypto.randomUUID() }));
  remember(answer);
  stage = answer.order_row.stage;
  return stage === "Complete";
}, 60000);
await until(() => heard.length >= events.length);
console.log(JSON.stringify({ stage, heard, events }));
process.exit(0);
