import { useLingui } from "@lingui/react/macro";
import { Delete } from "lucide-react";
import { Button } from "@/ui/button";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "0"];

/** Big keys for a figure, for gloves and wet fingers. */
export function Keypad({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useLingui();
  return (
    <div className="grid grid-cols-3 gap-2">
      {KEYS.map((key) => (
        <Button
          key={key}
          className="h-16 text-2xl font-semibold"
          disabled={key === "." && value.includes(".")}
          onClick={() => onChange(value + key)}
        >
          {key}
        </Button>
      ))}
      <Button className="h-16" aria-label={t`Delete the last digit`} onClick={() => onChange(value.slice(0, -1))}>
        <Delete aria-hidden />
      </Button>
    </div>
  );
}
