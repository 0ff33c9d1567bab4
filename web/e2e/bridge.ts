import type { Page } from "playwright-core";
import { call, stack } from "./stack";

interface Credentials {
  supabase_url: string;
  publishable_key: string;
  email: string;
  password: string;
}

/** A bridge to 3D printers, with the sign-in of a device: it reports prints as the real one does. */
export class Bridge {
  #begin = Date.now() - 20 * 3_600_000;

  private constructor(
    private readonly key: string,
    private readonly token: string,
  ) {}

  static async enrol(admin: Page, code: string): Promise<Bridge> {
    const given = { p_code: code, p_kind: "bambu_bridge", p_name: code, p_site: "main" };
    const made = await call<{ enrolment_code: string }>(admin, "create_device", given);
    const device = await post<Credentials>("/api/devices/enroll", { code: made.enrolment_code }, {});
    const apikey = device.publishable_key;
    const { email, password } = device;
    const session = await post<{ access_token: string }>(
      "/auth/v1/token?grant_type=password",
      { email, password },
      { apikey },
    );
    return new Bridge(apikey, session.access_token);
  }

  #rpc<T>(name: string, args: object): Promise<T> {
    return post<T>(`/rest/v1/rpc/${name}`, args, { apikey: this.key, authorization: `Bearer ${this.token}` });
  }

  /** A print of ten minutes, after the ones before. Its id. */
  async report(serial: string, file: string, fields: object = {}): Promise<number> {
    const [begin, end] = [this.#begin, this.#begin + 600_000];
    this.#begin = end + 60_000;
    const answer = await this.#rpc<{ print_run_id: number; status: string }>("record_print_completion", {
      p_idempotency_key: `bambu:${serial}:${begin}`,
      p_source: "bambu_auto",
      p_printer_serial: serial,
      p_outcome: "success",
      p_evidence: "observed",
      p_gcode_filename: file,
      p_candidates: [file],
      p_started_at: new Date(begin).toISOString(),
      p_finished_at: new Date(end).toISOString(),
      ...fields,
    });
    return answer.print_run_id;
  }

  /** What a printer does now. */
  beat(serial: string, fields: object): Promise<unknown> {
    const printer = { serial, link: "online", connected: true, phase: "idle", ...fields };
    return this.#rpc("bridge_heartbeat", { p_version: "1.0", p_printers: [printer], p_spool: { ready: 0, parked: 0 } });
  }
}

async function post<T>(path: string, body: object, headers: Record<string, string>): Promise<T> {
  const answer = await fetch(`${stack().url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
