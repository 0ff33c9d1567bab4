import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, Trash2 } from "lucide-react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Trouble } from "@/ui/states";
import { useOpenRecords } from "../queries";
import type { Work } from "../types";
import { dispositionName } from "../words";
import type { Actions } from "./actions";
import type { Station } from "./work";

/** Pieces of this step that are being reworked, or are held: what became of them? */
export function OpenRecords({ on, press, actions }: { on: Work; press: Station["press"]; actions: Actions }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const records = useOpenRecords({ p_code: on.code, p_step: on.step });
  const list = records.data?.filter(({ record }) => record.sequence === on.sequence) ?? [];
  if (list.length === 0) return <Trouble of={records} />;
  return (
    <section aria-label={t`Being reworked or on hold`} className="flex flex-col gap-2">
      <h2 className="text-lg font-semibold">
        <Trans>Being reworked or on hold</Trans>
      </h2>
      <ul className="flex flex-col gap-2">
        {list.map(({ record, reason_title }) => {
          const quantity = Number(record.open_quantity);
          const decides = record.disposition !== "hold" || may(who, "production.concede");
          return (
            <li key={record.id} className="flex flex-wrap items-center gap-2 rounded-lg border border-line p-2 pl-3">
              <span className="min-w-0 flex-1 basis-48">
                <Badge tone="warn">
                  {dispositionName(record.disposition)}: {formatNumber(quantity)}
                </Badge>{" "}
                {reason_title ?? record.reason}
                <span className="block text-sm text-soft">
                  <Trans>since {formatAge(Date.now() - Date.parse(record.recorded_at))}</Trans>
                </span>
              </span>
              {decides ? (
                <>
                  <Button onClick={() => press(actions.decide(record.id, "accept", quantity))}>
                    <CircleCheck aria-hidden /> <Trans>Good now</Trans>
                  </Button>
                  <Button onClick={() => press(actions.decide(record.id, "scrap", quantity))}>
                    <Trash2 aria-hidden /> <Trans>It is scrap</Trans>
                  </Button>
                </>
              ) : (
                <span className="text-sm text-soft">{t`A supervisor decides about it.`}</span>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
