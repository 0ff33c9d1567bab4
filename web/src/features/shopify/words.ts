import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { sentence } from "@/lib/messages";
import type { BadgeTone } from "@/ui/badge";

const STATES: Record<string, [BadgeTone, MessageDescriptor]> = {
  // of a webhook
  new: ["info", msg`Waiting`],
  done: ["ok", msg`Done`],
  failed: ["warn", msg`Failed`],
  dead: ["bad", msg`Dead`],
  ignored: ["plain", msg`Ignored`],
  // of a shop
  active: ["ok", msg`Active`],
  paused: ["warn", msg`Paused`],
  disconnected: ["bad", msg`Disconnected`],
  // of a merge
  created: ["ok", msg`New order`],
  updated: ["ok", msg`Changes the order`],
  unchanged: ["plain", msg`Nothing new`],
  stale: ["plain", msg`Older than what is known`],
  cancelled: ["warn", msg`Cancels the order`],
  test: ["plain", msg`A test order`],
  error: ["bad", msg`Would fail`],
};

/** Colour and words of a state; one that is not known here shows its own name. */
export function stateLook(state: string): { tone: BadgeTone; text: string } {
  const known = STATES[state];
  return known ? { tone: known[0], text: i18n._(known[1]) } : { tone: "plain", text: state };
}

/** Why a webhook failed: the server keeps "code: sentence". */
export function failure(text: string): string {
  const [, code, words] = /^([a-z_]+\.[a-z_]+): (.*)$/s.exec(text) ?? [];
  return code && words ? sentence(code, {}, words) : text;
}
