import { person } from "./person";
import { RpcError, rpc } from "./rpc";
import { identify, session, signIn } from "./session";
import { rememberedStore } from "./store";

/** Who identified here lately, newest first; user ids. */
export const recentPeople = rememberedStore<string[]>("takt.recent-people", []);
const RECENT = 5;

/** Badges carry this prefix, so that a badge is never taken for a ticket, nor sent anywhere else. */
export const isBadge = (code: string): boolean => /^TB-/i.test(code.trim());

interface Hello {
  token: string;
  user_id: string;
}

async function open(hello: Hello): Promise<void> {
  if (session.get().who?.user_id !== hello.user_id) person.set(null); // nothing of one person stays for the next
  person.set({ token: hello.token });
  recentPeople.set((old) => [hello.user_id, ...old.filter((id) => id !== hello.user_id)].slice(0, RECENT));
  await identify();
}

/** A person at this station, by PIN. Throws RpcError: person.wrong_pin, person.locked, person.no_pin, person.not_here. */
export async function unlockByPin(p_user_id: string, p_pin: string): Promise<void> {
  await open(await rpc<Hello>("identify_by_pin", { p_user_id, p_pin }));
}

/** A person at this station, by badge; also instead of whoever stands there. Throws RpcError: person.unknown_badge. */
export async function unlockByBadge(p_badge: string): Promise<void> {
  await open(await rpc<Hello>("identify_by_badge", { p_badge: p_badge.trim() }));
}

/** Locks this station at once; the server forgets the session too, now or when it runs out. */
export async function lockStation(): Promise<void> {
  const told = rpc("leave_station").catch(() => undefined);
  person.set(null);
  await told;
}

/** Somebody works here: the server locks later. False when the session has ended or the server was not reached. */
export async function keepPerson(): Promise<boolean> {
  return (await rpc<string | null>("keep_person").catch(() => null)) !== null;
}

/** The code in the address, when a tablet's camera read the QR code of the Devices page. It never leaves the browser. */
export const codeInAddress = (): string => /^#enrol=([A-Z0-9-]+)$/i.exec(location.hash)?.[1] ?? "";
export const addressWith = (code: string): string => `${location.origin}/#enrol=${code}`;

/**
 * Makes this browser a shared station with the one-time code of `takt device add` or the Devices page.
 * Throws RpcError with the server's sentence.
 */
export async function enrolStation(code: string): Promise<void> {
  const given = (await (await fetch("/config.json")).json()) as { api_url?: string };
  const answer = await fetch(`${given.api_url ?? ""}/api/devices/enroll`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: code.trim() }),
  }).catch(() => null);
  if (!answer) throw new RpcError("offline", "", "", "", {});
  const said = (await answer.json().catch(() => ({}))) as Record<string, string>;
  if (!answer.ok) throw new RpcError("refused", said.message ?? "", "", said.code ?? "", {});
  await signIn(said.email ?? "", said.password ?? "");
}
