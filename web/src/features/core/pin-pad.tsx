import { Trans, useLingui } from "@lingui/react/macro";
import { ArrowLeft, Delete } from "lucide-react";
import { type FormEvent, useState } from "react";
import { signal } from "@/lib/feedback";
import { explain } from "@/lib/messages";
import { unlockByPin } from "@/lib/station";
import type { Staff } from "@/lib/types";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";

const LONGEST = 8;

/** Digits by touch or keyboard; the server counts the guesses. */
export function PinPad({ person, onBack }: { person: Pick<Staff, "user_id" | "full_name">; onBack: () => void }) {
  const { t } = useLingui();
  const [pin, setPin] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const add = (digits: string) => setPin((old) => (old + digits).replace(/\D/g, "").slice(0, LONGEST));

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || pin.length < 4) return;
    setBusy(true);
    setProblem(null);
    try {
      await unlockByPin(person.user_id, pin);
      signal("ok");
    } catch (error) {
      signal("bad");
      setProblem(explain(error));
      setPin("");
      setBusy(false);
    }
  }

  return (
    <form onSubmit={submit} className="flex w-full max-w-sm flex-col gap-4 rounded-2xl border border-line bg-panel p-5">
      <div className="flex items-center gap-2">
        <Button look="quiet" aria-label={t`Back to the names`} onClick={onBack}>
          <ArrowLeft aria-hidden />
        </Button>
        <h2 className="text-xl font-semibold">{person.full_name}</h2>
      </div>
      <Input
        label="PIN"
        type="password"
        inputMode="none"
        autoComplete="off"
        autoFocus
        data-scan="yes"
        className="text-center text-3xl tracking-[0.5em]"
        value={pin}
        maxLength={LONGEST}
        onChange={(event) => setPin(event.target.value.replace(/\D/g, ""))}
      />
      {problem && (
        <p role="alert" className="font-medium text-bad">
          {problem}
        </p>
      )}
      <div className="grid grid-cols-3 gap-2">
        {["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((digit) => (
          <Key key={digit} digit={digit} onPress={add} />
        ))}
        <Button
          className="min-h-16"
          aria-label={t`Delete the last digit`}
          onClick={() => setPin((old) => old.slice(0, -1))}
        >
          <Delete aria-hidden />
        </Button>
        <Key digit="0" onPress={add} />
        <Button look="primary" type="submit" className="min-h-16 text-lg" disabled={busy || pin.length < 4}>
          {busy ? "…" : <Trans>OK</Trans>}
        </Button>
      </div>
    </form>
  );
}

function Key({ digit, onPress }: { digit: string; onPress: (digit: string) => void }) {
  return (
    <Button className="min-h-16 text-xl" onClick={() => onPress(digit)}>
      {digit}
    </Button>
  );
}
