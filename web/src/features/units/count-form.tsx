import { useLingui } from "@lingui/react/macro";
import { type ReactNode, useState } from "react";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";

interface Props {
  units: number;
  look: "primary" | "danger";
  /** What the button says. */
  children: ReactNode;
  onSend: (reason: string) => Promise<void>;
}

/** A reason, and the number of units typed: nobody holds or releases a plant by one tap. */
export function CountForm({ units, look, children, onSend }: Props) {
  const { t } = useLingui();
  const [number, setNumber] = useState("");
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        void onSend(String(new FormData(event.currentTarget).get("reason")).trim());
      }}
    >
      <Input label={t`Reason`} name="reason" maxLength={500} required autoComplete="off" />
      <Input
        label={t`To confirm, type the number of units: ${units}`}
        name="number"
        inputMode="numeric"
        autoComplete="off"
        value={number}
        onChange={(event) => setNumber(event.target.value)}
        required
      />
      <Button look={look} type="submit" className="min-h-14 text-lg" disabled={number.trim() !== String(units)}>
        {children}
      </Button>
    </form>
  );
}
