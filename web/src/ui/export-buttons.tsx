import { useLingui } from "@lingui/react/macro";
import { FileDown } from "lucide-react";
import { useState } from "react";
import { download } from "@/lib/download";
import { explain } from "@/lib/messages";
import { Button } from "./button";
import { toast } from "./toast";

/** What is shown as a file: `what` is oee, stops or repairs, `query` as the page asks it. */
export function ExportButtons({ what, query }: { what: string; query: Record<string, string | null | undefined> }) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  async function save(form: string) {
    setBusy(true);
    try {
      await download(`${what}.${form}`, query);
    } catch (error) {
      toast("bad", explain(error));
    }
    setBusy(false);
  }
  return (
    <fieldset className="flex gap-2">
      <legend className="sr-only">{t`As a file`}</legend>
      {["csv", "xlsx"].map((form) => (
        <Button key={form} disabled={busy} onClick={() => void save(form)}>
          <FileDown aria-hidden className="size-5" /> {form.toUpperCase()}
        </Button>
      ))}
    </fieldset>
  );
}
