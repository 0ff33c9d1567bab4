import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { produce } from "./act";
import type { ApprovalChange, ApprovalEntry } from "./types";

/** Who asked does not need it any more. */
export const withdraw = (id: number) =>
  produce<ApprovalChange>("withdraw_approval", { p_id: id } as never, () => i18n._(msg`Your request is taken back.`));

/** Yes or no, with a reason where it is no: about the request as it was shown, not as it may be by now. */
export const decide = (
  { id, version }: ApprovalEntry["approval"],
  decision: "APPROVED" | "REJECTED",
  notes: string | null,
) =>
  produce<ApprovalChange>(
    "decide_approval",
    { p_id: id, p_version: version, p_decision: decision, p_notes: notes } as never,
    () => (decision === "APPROVED" ? i18n._(msg`Approved.`) : i18n._(msg`Rejected.`)),
  );

export const ask = (given: object) =>
  produce<ApprovalChange>("request_approval", given as never, ({ changed }) =>
    changed ? i18n._(msg`Asked. Somebody else decides.`) : i18n._(msg`It was asked before. Somebody else decides.`),
  );
