import { Trans, useLingui } from "@lingui/react/macro";
import {
  ArrowUpDown,
  Ban,
  CalendarDays,
  MapPin,
  Pencil,
  Printer,
  RotateCcw,
  ScanBarcode,
  Tag,
  Undo2,
  UserPlus,
} from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useSetting } from "@/features/settings/queries";
import { priorityName } from "@/lib/labels";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { type Order, PRIORITIES } from "@/lib/types";
import { Button, LinkButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Panel } from "@/ui/page";
import { Empty } from "@/ui/states";
import { useOrderCommands } from "./actions";
import AssignDialog from "./assign";
import { DueDialog, EditDialog, ReasonDialog } from "./order-forms";
import { expectScan } from "./scan/state";

const PrintDialog = lazy(() => import("@/features/printing/print-dialog").then((m) => ({ default: m.PrintDialog })));

type Sheet = "label" | "assign" | "storage" | "priority" | "due" | "edit" | "return" | "cancel";

/** Everything that can be done to a ticket besides its next step. */
export function OrderTools({ order }: { order: Order }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { act, undo } = useOrderCommands();
  const [sheet, setSheet] = useState<Sheet | null>(null);
  const close = () => setSheet(null);
  const open = order.stage !== "Complete" && !order.cancelled_at;
  const tools: { shown: boolean; icon: typeof Ban; label: string; run: () => void }[] = [
    {
      shown: open && may(who, "orders.scan"),
      icon: ScanBarcode,
      label: t`Scan this ticket`,
      run: () => expectScan(order.id),
    },
    { shown: may(who, "printing.request"), icon: Tag, label: t`Print a label`, run: () => setSheet("label") },
    { shown: open && may(who, "orders.take"), icon: UserPlus, label: t`Assign`, run: () => setSheet("assign") },
    { shown: may(who, "orders.complete_stage"), icon: MapPin, label: t`Storage`, run: () => setSheet("storage") },
    {
      shown: open && may(who, "orders.set_priority"),
      icon: ArrowUpDown,
      label: t`Priority`,
      run: () => setSheet("priority"),
    },
    { shown: open && may(who, "orders.edit"), icon: CalendarDays, label: t`Due date`, run: () => setSheet("due") },
    { shown: open && may(who, "orders.edit"), icon: Pencil, label: t`Edit`, run: () => setSheet("edit") },
    {
      shown: order.stage === "Packing" && may(who, "orders.qc_return"),
      icon: RotateCcw,
      label: t`Send back`,
      run: () => setSheet("return"),
    },
    { shown: may(who, "orders.undo_own"), icon: Undo2, label: t`Undo last`, run: () => void undo(order.id) },
    { shown: open && may(who, "orders.cancel"), icon: Ban, label: t`Cancel order`, run: () => setSheet("cancel") },
  ];
  return (
    <Panel title={<Trans>Actions</Trans>}>
      <ul className="grid grid-cols-2 gap-2">
        {tools
          .filter((tool) => tool.shown)
          .map(({ icon: Icon, label, run }) => (
            <li key={label}>
              <Button className="h-full w-full justify-start text-left" onClick={run}>
                <Icon aria-hidden className="size-5 shrink-0" /> {label}
              </Button>
            </li>
          ))}
        <li>
          <LinkButton to="/orders/$id/slip" params={{ id: order.id } as never} className="w-full justify-start">
            <Printer aria-hidden className="size-5 shrink-0" /> <Trans>Packing slip</Trans>
          </LinkButton>
        </li>
      </ul>
      <AssignDialog
        open={sheet === "assign"}
        onClose={close}
        stores={[order.store]}
        count={1}
        onChoose={(staff) => {
          close();
          if (staff) void act("assign_staff", { p_order_id: order.id, p_staff_id: staff }, order.id);
          else void act("unassign_staff", { p_order_id: order.id }, order.id);
        }}
      />
      {sheet === "label" && (
        <Suspense fallback={null}>
          <PrintDialog subject={order.id} onClose={close} />
        </Suspense>
      )}
      {sheet === "storage" && <StorageDialog order={order} onClose={close} />}
      {sheet === "priority" && <PriorityDialog order={order} onClose={close} />}
      {sheet === "due" && <DueDialog order={order} onClose={close} />}
      {sheet === "edit" && <EditDialog order={order} onClose={close} />}
      {sheet === "return" && (
        <ReasonDialog
          title={t`Send ${order.id} back to Decorating`}
          label={t`What is wrong with it?`}
          confirm={t`Send back`}
          onClose={close}
          onConfirm={(reason) => act("qc_return_to_decorating", { p_order_id: order.id, p_reason: reason }, order.id)}
        />
      )}
      {sheet === "cancel" && (
        <ReasonDialog
          title={t`Cancel ${order.id}`}
          label={t`Why is it cancelled?`}
          confirm={t`Cancel the order`}
          onClose={close}
          onConfirm={(reason) => act("cancel_order", { p_order_id: order.id, p_reason: reason }, order.id)}
        />
      )}
    </Panel>
  );
}

function StorageDialog({ order, onClose }: { order: Order; onClose: () => void }) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  const places = useSetting<string[]>({ store: order.store }, "storage.locations", []);
  const choose = (place: string | null) => {
    onClose();
    void act("set_storage", { p_order_id: order.id, p_storage: place }, order.id);
  };
  return (
    <Dialog open onClose={onClose} title={t`Where is it?`}>
      {places.length === 0 && <Empty>{t`This store has no storage places. Add them in the settings.`}</Empty>}
      <ul className="grid gap-2 sm:grid-cols-2">
        {places.map((place) => (
          <li key={place}>
            <Button
              look={place === order.storage ? "primary" : "plain"}
              className="w-full"
              onClick={() => choose(place)}
            >
              {place}
            </Button>
          </li>
        ))}
        {order.storage && (
          <li>
            <Button look="quiet" className="w-full" onClick={() => choose(null)}>{t`Taken out`}</Button>
          </li>
        )}
      </ul>
    </Dialog>
  );
}

function PriorityDialog({ order, onClose }: { order: Order; onClose: () => void }) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  const choose = (priority: Order["priority"] | null) => {
    onClose();
    void act("set_priority", { p_order_id: order.id, p_priority: priority }, order.id);
  };
  return (
    <Dialog open onClose={onClose} title={t`How urgent is it?`}>
      <div className="grid gap-2">
        {PRIORITIES.map((one) => (
          <Button key={one} look={one === order.priority ? "primary" : "plain"} onClick={() => choose(one)}>
            {priorityName(one)}
          </Button>
        ))}
        <Button look="quiet" onClick={() => choose(null)}>{t`Let the due date decide`}</Button>
      </div>
    </Dialog>
  );
}
