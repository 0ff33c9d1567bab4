import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleCheck, OctagonAlert, RotateCcw, TriangleAlert } from "lucide-react";
import { useNow } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge } from "@/lib/time";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { giveStock } from "./act";
import { useStockAlarms } from "./queries";
import type { Alarm } from "./types";
import { alarmAdvice } from "./words";

/** What about stock a person should look at, the worst first, and what to do about it. */
export function AlarmsPart() {
  const { t } = useLingui();
  const alarms = useStockAlarms();
  return (
    <Panel title={<Trans>Look here</Trans>}>
      <Pending of={alarms} />
      {alarms.data?.length === 0 && (
        <p className="flex items-center gap-2 text-lg text-ok">
          <CircleCheck aria-hidden /> <Trans>All is well.</Trans>
        </p>
      )}
      <ul aria-label={t`Alarms`} className="flex flex-col divide-y divide-line">
        {alarms.data?.map((alarm) => (
          <AlarmRow
            key={`${alarm.kind} ${alarm.sku} ${alarm.order_id} ${alarm.details.store} ${alarm.details.stage}`}
            alarm={alarm}
          />
        ))}
      </ul>
    </Panel>
  );
}

const LINK = "flex min-h-12 items-center rounded-lg px-3 underline hover:bg-sunk";

function AlarmRow({ alarm }: { alarm: Alarm }) {
  const now = useNow(10_000);
  const bad = alarm.severity === "error";
  const Icon = bad ? OctagonAlert : TriangleAlert;
  return (
    <li className="flex flex-wrap items-center gap-3 py-3">
      <Icon aria-hidden className={`shrink-0 ${bad ? "text-bad" : "text-warn"}`} />
      <div className="min-w-56 flex-1">
        <p className="font-medium">
          {alarm.message}{" "}
          {alarm.since && (
            <span className="text-sm font-normal text-soft">
              <Trans>for {formatAge(now - Date.parse(alarm.since))}</Trans>
            </span>
          )}
        </p>
        <p className="text-sm text-soft">{alarmAdvice(alarm.kind)}</p>
      </div>
      <AlarmAction alarm={alarm} />
      {alarm.sku && (
        <Link to="/stock/item" search={{ sku: alarm.sku }} className={LINK}>
          <Trans>Open {alarm.sku}</Trans>
        </Link>
      )}
      {alarm.order_id && (
        <Link to="/orders/$id" params={{ id: alarm.order_id }} className={LINK}>
          <Trans>Open {alarm.order_id}</Trans>
        </Link>
      )}
    </li>
  );
}

/** What can be done about it here and now. */
function AlarmAction({ alarm }: { alarm: Alarm }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  if (alarm.kind === "push_failed" && may(who, "channels.manage"))
    return (
      <Button
        onClick={() => void giveStock("retry_stock_pushes", { p_store: alarm.details.store }, t`It is told again.`)}
      >
        <RotateCcw aria-hidden className="size-5" /> <Trans>Tell it again</Trans>
      </Button>
    );
  if (alarm.kind === "components_short" && may(who, "inventory.move"))
    return (
      <Button
        onClick={() =>
          void giveStock(
            "consume_order_stage",
            { p_order_id: alarm.order_id, p_stage: alarm.details.stage },
            t`Taken from stock.`,
          )
        }
      >
        <Trans>Take them now</Trans>
      </Button>
    );
  return null;
}
