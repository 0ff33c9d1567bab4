import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { formatNumber } from "@/lib/time";
import { produce } from "./act";
import type { Lot, LotMovement } from "./lot-types";

/** A split, merge, use or receipt is taken back, as long as nothing came after it. */
export const undoActivity = (id: number) =>
  produce<LotMovement>("undo_lot_activity", { p_activity_id: id } as never, () => i18n._(msg`Taken back.`));

const back = ({ activity }: LotMovement) =>
  activity ? { label: i18n._(msg`Undo`), run: () => void undoActivity(activity.id) } : undefined;

export const hold = (lot: Lot, reason: string, onward: boolean) =>
  produce("hold_lot", { p_code: lot.code, p_sku: lot.sku, p_reason: reason, p_onward: onward }, () =>
    i18n._(msg`Lot ${lot.code} is on hold.`),
  );

export const release = (lot: Lot, reason: string, onward: boolean) =>
  produce("release_lot", { p_code: lot.code, p_sku: lot.sku, p_reason: reason, p_onward: onward }, () =>
    i18n._(msg`Lot ${lot.code} may be used again.`),
  );

export interface Split {
  p_quantity: number;
  p_new_code: string | null;
  p_part: string | null;
  p_reason: string | null;
}
export const split = (lot: Lot, given: Split) =>
  produce<LotMovement>(
    "split_lot",
    { p_code: lot.code, p_sku: lot.sku, ...given } as never,
    ({ lots }) =>
      i18n._(msg`${formatNumber(given.p_quantity)} of lot ${lot.code} are lot ${lots[0]?.lot.code ?? ""} now.`),
    back,
  );

export const merge = (lot: Lot, into: string, reason: string | null) =>
  produce<LotMovement>(
    "merge_lots",
    { p_codes: [lot.code], p_into: into, p_sku: lot.sku, p_reason: reason } as never,
    ({ changed }) =>
      changed
        ? i18n._(msg`What was left of lot ${lot.code} is in lot ${into} now.`)
        : i18n._(msg`It was empty already.`),
    back,
  );
