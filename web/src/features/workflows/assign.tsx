import { Trans, useLingui } from "@lingui/react/macro";
import { User, UserMinus } from "lucide-react";
import { useStaff } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Pending } from "@/ui/states";

interface Props {
  open: boolean;
  onClose: () => void;
  /** The stores of the tickets: people must work in all of them. */
  stores: string[];
  count: number;
  onChoose: (staff: string | null) => void;
}

/** Who shall do it? Oneself first. */
export default function AssignDialog({ open, onClose, stores, count, onChoose }: Props) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const staff = useStaff();
  const others = (staff.data ?? []).filter(
    (one) =>
      one.is_active &&
      one.user_id !== who?.user_id &&
      stores.every((s) => one.stores.includes(s) || one.stores.includes("*")),
  );
  return (
    <Dialog open={open} onClose={onClose} title={count === 1 ? t`Who does it?` : t`Who does these ${count}?`}>
      <Pending of={staff} />
      <ul className="grid gap-2 sm:grid-cols-2">
        <li>
          <Button look="primary" className="w-full justify-start" onClick={() => onChoose(who?.user_id ?? null)}>
            <User aria-hidden /> <Trans>Me</Trans>
          </Button>
        </li>
        <li>
          <Button className="w-full justify-start" onClick={() => onChoose(null)}>
            <UserMinus aria-hidden /> <Trans>Back to the pool</Trans>
          </Button>
        </li>
        {may(who, "orders.assign") &&
          others.map((one) => (
            <li key={one.user_id}>
              <Button className="w-full justify-start" onClick={() => onChoose(one.user_id)}>
                <User aria-hidden /> {one.full_name}
              </Button>
            </li>
          ))}
      </ul>
    </Dialog>
  );
}
