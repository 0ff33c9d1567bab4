import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, lazy, Suspense, useState } from "react";
import { LANGUAGES, type Language, language, setLanguage } from "@/lib/i18n";
import { explain } from "@/lib/messages";
import { session, signIn } from "@/lib/session";
import { codeInAddress } from "@/lib/station";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";

const EnrolForm = lazy(() => import("./enrol"));

export function SignInPage() {
  const { t } = useLingui();
  const { problem: refused } = useStore(session);
  const chosen = useStore(language);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [enrolling, setEnrolling] = useState(codeInAddress() !== "");

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(null);
    try {
      await signIn(String(form.get("email")), String(form.get("password")));
    } catch (error) {
      const wrong = error instanceof Error && /invalid/i.test(error.message);
      setProblem(wrong ? t`E-mail or password is wrong.` : explain(error));
    }
    setBusy(false);
  }

  const shown = problem ?? (refused ? explain(refused) : null);
  return (
    <main className="flex min-h-full items-center justify-center p-4">
      <div className="w-full max-w-md">
        <div className="mb-6 flex items-center gap-4">
          <img src="/icon.svg" alt="" className="size-16" />
          <div>
            <h1 className="text-4xl font-bold">Takt</h1>
            <p className="text-soft">
              <Trans>What is to be made, where it stands, who has it.</Trans>
            </p>
          </div>
        </div>
        {enrolling ? (
          <Suspense fallback={null}>
            <EnrolForm onBack={() => setEnrolling(false)} />
          </Suspense>
        ) : (
          <form onSubmit={submit} className="flex flex-col gap-4 rounded-2xl border border-line bg-panel p-6">
            <Input label={t`E-mail`} name="email" type="email" autoComplete="username" required />
            <Input label={t`Password`} name="password" type="password" autoComplete="current-password" required />
            {shown && (
              <p role="alert" className="font-medium text-bad">
                {shown}
              </p>
            )}
            <Button look="primary" type="submit" className="min-h-14 text-lg" disabled={busy}>
              {busy ? <Trans>Signing in …</Trans> : <Trans>Sign in</Trans>}
            </Button>
            <Button look="quiet" onClick={() => setEnrolling(true)}>
              <Trans>This is a shared station</Trans>
            </Button>
          </form>
        )}
        <div className="mt-4 w-56">
          <Select
            quiet
            label={t`Language`}
            value={chosen}
            onChange={(event) => void setLanguage(event.target.value as Language)}
          >
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <option key={code} value={code}>
                {name}
              </option>
            ))}
          </Select>
        </div>
      </div>
    </main>
  );
}
