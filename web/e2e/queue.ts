import { createRequire } from "node:module";
import { join } from "node:path";
import { ROOT, status } from "./stack";

type Sql = (text: TemplateStringsArray, ...values: unknown[]) => Promise<{ status: string }[]>;
type Postgres = (url: string, options: object) => Sql & { end(): Promise<void> };

/**
 * Waits until the worker has given a webhook up. Its back-off would take minutes: after the first failure each retry is
 * made the last and due at once, and the worker does the rest.
 */
export async function untilDead(inbox: number, deadline = Date.now() + 40_000): Promise<void> {
  const postgres = createRequire(join(ROOT, "package.json"))("postgres") as Postgres;
  const sql = postgres(status().db_url, { max: 1 });
  try {
    for (;;) {
      await sql`update public.work_queue set retries = max_retries, next_retry_at = now()
        where topic = 'channel.process' and payload ->> 'inbox_id' = ${String(inbox)} and status = 'ready' and retries > 0`;
      const [entry] = await sql`select status from private.webhook_inbox where id = ${inbox}`;
      if (entry?.status === "dead") return;
      if (Date.now() > deadline) throw new Error(`webhook ${inbox} is ${entry?.status}, not dead`);
      await new Promise((next) => setTimeout(next, 100));
    }
  } finally {
    await sql.end();
  }
}
