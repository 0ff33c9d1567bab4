import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { explain } from "@/lib/messages";
import { codeInAddress, enrolStation } from "@/lib/station";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";

/** Makes this browser a shared station. */
export default function EnrolForm({ onBack }: { onBack: () => void }) {
  const { t } = useLingui();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget).get("code"));
    setBusy(true);
    setProblem(null);
    try {
      await enrolStation(/#enrol=(.+)$/.exec(code)?.[1] ?? code); // a scanner reads the whole address
      history.replaceState(null, "", location.pathname);
    } catch (error) {
      setProblem(explain(error));
      setBusy(false);
    }
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 rounded-2xl border border-line bg-panel p-6">
      <p>
        <Trans>A manager adds a device of the kind kiosk on the Devices page and gets a code.</Trans>
      </p>
      <Input
        label={t`Enrolment code`}
        name="code"
        className="font-mono uppercase"
        defaultValue={codeInAddress()}
        autoComplete="off"
        autoCapitalize="characters"
        spellCheck={false}
        autoFocus
        required
      />
      {problem && (
        <p role="alert" className="font-medium text-bad">
          {problem}
        </p>
      )}
      <Button look="primary" type="submit" className="min-h-14 text-lg" disabled={busy}>
        {busy ? <Trans>Enrolling …</Trans> : <Trans>Make this a station</Trans>}
      </Button>
      <Button look="quiet" onClick={onBack}>
        <Trans>Sign in with my own account</Trans>
      </Button>
    </form>
  );
}
