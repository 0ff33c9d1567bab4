import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, TextArea } from "@/ui/field";
import { unitCommand } from "./act";
import { useVariants } from "./queries";
import { insertsOf } from "./rules-words";
import type { Kit } from "./types";

/** Kits that were made up: their codes scanned or pasted, all with the same in them. */
export function KitsDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const variants = useVariants();
  const [chosen, setChosen] = useState<string[]>([]);
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const kits = text("codes")
      .split("\n")
      .flatMap((one) => one.trim() || [])
      .map((kit_id) => ({
        kit_id,
        language_set: text("languages").toUpperCase(),
        variants: chosen,
        insert_versions: insertsOf(text("inserts")),
      }));
    const done = await unitCommand<Kit[]>("register_kits", { p_kits: kits }, (list) => t`Kits kept: ${list.length}`);
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`Register kits`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        <TextArea label={t`Codes of the kits`} note={t`One a line, up to 1,000.`} name="codes" required data-scan="" />
        <Input
          label={t`Languages`}
          note={t`Like NL-EN.`}
          name="languages"
          pattern="[A-Za-z]{2,3}(-[A-Za-z]{2,3})*"
          defaultValue="EN"
          required
          autoComplete="off"
        />
        <fieldset>
          <legend className="mb-1 text-sm font-medium text-soft">
            <Trans>For which variants</Trans>
          </legend>
          <div className="flex flex-wrap gap-1">
            {variants.data?.map(({ code, title }) => (
              <Button
                key={code}
                aria-pressed={chosen.includes(code)}
                look={chosen.includes(code) ? "primary" : "plain"}
                onClick={() =>
                  setChosen((old) => (old.includes(code) ? old.filter((one) => one !== code) : [...old, code]))
                }
              >
                {title}
              </Button>
            ))}
          </div>
        </fieldset>
        <TextArea label={t`Inserts with their versions`} note={t`One a line, like: manual 3.1`} name="inserts" />
        <Button look="primary" type="submit" disabled={chosen.length === 0}>
          <Trans>Register</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
