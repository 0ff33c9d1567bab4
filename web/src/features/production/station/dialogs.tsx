import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import type { Work } from "../types";
import type { Actions } from "./actions";
import type { Station } from "./work";

interface Props {
  on: Work;
  press: Station["press"];
  actions: Actions;
  onClose: () => void;
}

const reasonOf = (event: FormEvent<HTMLFormElement>) => {
  event.preventDefault();
  return String(new FormData(event.currentTarget).get("reason")).trim();
};

/** The step stops for a while. */
export function PauseDialog({ on, press, actions, onClose }: Props) {
  const { t } = useLingui();
  return (
    <Dialog open onClose={onClose} title={t`Pause ${on.code}`} note={t`Nothing is reported until it goes on.`}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          press(actions.pause(reasonOf(event) || null));
          onClose();
        }}
      >
        <Input label={t`Reason`} name="reason" maxLength={500} autoComplete="off" />
        <Button look="primary" type="submit">
          <Trans>Pause</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

/** No more of it is begun. */
export function EndDialog({ on, press, actions, onClose }: Props) {
  const { t } = useLingui();
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`End ${on.step_title} of ${on.code} early`}
      note={t`No more pieces of this order are begun; those that are good go on.`}
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          press(actions.end(reasonOf(event)));
          onClose();
        }}
      >
        <Input label={t`Reason`} name="reason" maxLength={500} required autoComplete="off" />
        <Button look="danger" type="submit">
          <Trans>End it early</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
