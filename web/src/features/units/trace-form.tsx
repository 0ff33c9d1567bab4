import { Trans, useLingui } from "@lingui/react/macro";
import { Search } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import type { TraceQuery } from "./types";

type How = "code" | "item" | "units";

function howOf({ key, sku, first, last }: TraceQuery): How {
  if (key) return "code";
  if (sku) return "item";
  return first || last ? "units" : "code";
}

/** What is traced: a scanned code, an item (with a range), or a range of serials. */
export function TraceForm({ query, onTrace }: { query: TraceQuery; onTrace: (query: TraceQuery) => void }) {
  const { t } = useLingui();
  const [how, setHow] = useState<How>(howOf(query));
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
    if (how === "code") onTrace({ key: text("key") });
    else {
      const range = { first: text("first"), last: text("last"), since: text("since"), until: text("until") };
      onTrace(how === "item" ? { ...range, sku: text("sku") } : { ...range, kind: "unit" });
    }
  }
  return (
    <form onSubmit={send} className="flex flex-wrap items-end gap-3">
      <div className="w-full sm:w-72">
        <Select label={t`Find by`} value={how} onChange={(event) => setHow(event.target.value as How)}>
          <option value="code">{t`A code: lot, serial, unit, box`}</option>
          <option value="item">{t`An item, or a part of it`}</option>
          <option value="units">{t`A range of units`}</option>
        </Select>
      </div>
      {how === "code" && (
        <div className="min-w-48 flex-1">
          <Input id="search-box" label={t`Code`} name="key" defaultValue={query.key} required autoComplete="off" />
        </div>
      )}
      {how === "item" && (
        <Input label={t`Item (SKU)`} name="sku" defaultValue={query.sku} required autoComplete="off" />
      )}
      {how !== "code" && (
        <>
          <Input
            label={how === "item" ? t`First lot or serial` : t`First serial`}
            name="first"
            defaultValue={query.first}
            required={how === "units"}
            autoComplete="off"
          />
          <Input
            label={how === "item" ? t`Last lot or serial` : t`Last serial`}
            name="last"
            defaultValue={query.last}
            autoComplete="off"
          />
          <Input
            label={how === "item" ? t`Built in since` : t`Made since`}
            name="since"
            type="date"
            defaultValue={query.since}
          />
          <Input
            label={how === "item" ? t`Built in until` : t`Made until`}
            name="until"
            type="date"
            defaultValue={query.until}
          />
        </>
      )}
      <Button look="primary" type="submit">
        <Search aria-hidden className="size-5" /> <Trans>Trace</Trans>
      </Button>
    </form>
  );
}
