import { Trans, useLingui } from "@lingui/react/macro";
import { IdCard, KeyRound, Printer } from "lucide-react";
import { type FormEvent, useState } from "react";
import { explain } from "@/lib/messages";
import { rpc } from "@/lib/rpc";
import { Button } from "@/ui/button";
import { QrCode } from "@/ui/codes";
import { Input } from "@/ui/field";
import { toast } from "@/ui/toast";

/** Sets a PIN: one's own, or (managers) somebody's. */
export function PinForm({ user }: { user: string | null }) {
  const { t } = useLingui();
  const [problem, setProblem] = useState<string | null>(null);
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      await rpc<boolean>("set_pin", { p_pin: String(new FormData(form).get("pin")), p_user_id: user });
      form.reset();
      setProblem(null);
      toast("ok", t`The PIN is set.`);
    } catch (error) {
      setProblem(explain(error));
    }
  }
  return (
    <form onSubmit={save} className="flex flex-wrap items-end gap-2">
      <div className="min-w-40 flex-1">
        <Input
          label={t`New PIN for shared stations`}
          name="pin"
          type="password"
          inputMode="numeric"
          autoComplete="off"
          pattern="\d{4,8}"
          title={t`4 to 8 digits`}
          required
        />
      </div>
      <Button type="submit">
        <KeyRound aria-hidden className="size-5" /> <Trans>Set the PIN</Trans>
      </Button>
      {problem && (
        <p role="alert" className="w-full font-medium text-bad">
          {problem}
        </p>
      )}
    </form>
  );
}

/** Makes a badge for somebody; the code is shown once. */
export function BadgeMaker({ user, name }: { user: string; name: string }) {
  const { t } = useLingui();
  const [badge, setBadge] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  async function make() {
    try {
      setBadge(await rpc<string>("issue_badge", { p_user_id: user }));
    } catch (error) {
      setProblem(explain(error));
    }
  }
  if (!badge) {
    return (
      <div className="flex flex-col gap-1">
        <Button onClick={() => void make()}>
          <IdCard aria-hidden className="size-5" /> <Trans>Make a new badge</Trans>
        </Button>
        <p className="text-sm text-soft">
          <Trans>The old badge stops working.</Trans>
        </p>
        {problem && (
          <p role="alert" className="font-medium text-bad">
            {problem}
          </p>
        )}
      </div>
    );
  }
  return (
    <div className="print-alone flex flex-col items-center gap-2 rounded-xl border border-line p-4">
      <QrCode text={badge} label={t`Badge of ${name}`} className="size-40" />
      <p className="text-lg font-semibold">{name}</p>
      <p className="text-center text-sm text-soft">
        <Trans>Shown this once. Print it and cut it out.</Trans>
      </p>
      <Button className="no-print" onClick={() => window.print()}>
        <Printer aria-hidden className="size-5" /> <Trans>Print the badge</Trans>
      </Button>
    </div>
  );
}
