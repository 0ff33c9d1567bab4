import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import type { Json, SettingValue } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { toast } from "@/ui/toast";
import type { Scope } from "./queries";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The value that a form holds, as the type of the setting wants it; whether it fits, the server says. */
function enteredValue(setting: SettingValue, form: FormData): Json {
  const text = String(form.get("value") ?? "");
  if (setting.type === "boolean") return text === "on";
  if (setting.type === "integer") return Number(text);
  if (setting.type === "weekday_list") return form.getAll("value").map(String);
  if (setting.type.endsWith("_list")) return lines(text);
  return text;
}

export function SettingForm({ setting, scope }: { setting: SettingValue; scope: Scope }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [problem, setProblem] = useState<string | null>(null);
  const [touched, setTouched] = useState(false);
  const where = { p_store: scope.store ?? null, p_site: scope.site ?? null };
  const mayManage = may(who, "settings.manage");
  const own = setting.source === (scope.store ? "store" : "site");

  async function run(task: () => Promise<unknown>) {
    try {
      await task();
      setProblem(null);
      setTouched(false);
      toast("ok", t`Saved.`);
    } catch (error) {
      setProblem(explain(error));
    }
    await queries.invalidateQueries({ queryKey: ["settings"] });
  }
  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const p_value = enteredValue(setting, new FormData(event.currentTarget));
    void run(() =>
      command("set_setting", { p_key: setting.key, p_value, ...where, p_version: setting.version } as never),
    );
  }
  return (
    <form onSubmit={save} onChange={() => setTouched(true)} className="flex flex-col gap-2">
      <fieldset disabled={!mayManage} className="contents">
        <Control setting={setting} error={problem} />
      </fieldset>
      <div className="flex flex-wrap items-center gap-2">
        {setting.source !== "default" && (
          <Badge tone={own ? "accent" : "plain"}>{own ? t`Set here` : t`From the site`}</Badge>
        )}
        {touched && mayManage && (
          <Button look="primary" type="submit">
            <Trans>Save</Trans>
          </Button>
        )}
        {own && mayManage && !touched && (
          <Button
            look="quiet"
            onClick={() => void run(() => command("reset_setting", { p_key: setting.key, ...where } as never))}
          >
            <Trans>Back to the default</Trans>
          </Button>
        )}
      </div>
    </form>
  );
}

function Control({ setting, error }: { setting: SettingValue; error: string | null }) {
  const { t } = useLingui();
  const { type, value, title, description } = setting;
  const bounds = setting.bounds as { min?: number; max?: number; max_length?: number; options?: string[] };
  const common = { label: title, note: description, error, name: "value" };
  if (type === "boolean")
    return <Switch label={title} note={description} name="value" defaultChecked={value === true} />;
  if (type === "integer")
    return <Input {...common} type="number" min={bounds.min} max={bounds.max} defaultValue={Number(value)} />;
  if (type === "choice") {
    return (
      <Select {...common} defaultValue={String(value)}>
        {bounds.options?.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </Select>
    );
  }
  if (type === "weekday_list") {
    return (
      <fieldset>
        <legend className="text-sm font-medium text-soft">{title}</legend>
        <div className="flex flex-wrap gap-x-4">
          {DAYS.map((day) => (
            <Switch
              key={day}
              label={<Weekday day={day} />}
              name="value"
              value={day}
              defaultChecked={(value as string[]).includes(day)}
            />
          ))}
        </div>
        {error && <p className="text-bad">{error}</p>}
      </fieldset>
    );
  }
  if (type.endsWith("_list")) {
    const note = `${description} ${type === "date_list" ? t`One date per line, like 2026-12-25.` : t`One per line.`}`;
    const list = value as string[];
    return <TextArea {...common} note={note} rows={Math.min(10, list.length + 2)} defaultValue={list.join("\n")} />;
  }
  return <Input {...common} maxLength={bounds.max_length} defaultValue={String(value)} />;
}

/** mon … sun in the reader's language. */
function Weekday({ day }: { day: string }) {
  const { i18n } = useLingui();
  const date = new Date(Date.UTC(2024, 0, 1 + DAYS.indexOf(day))); // the first of January 2024 was a Monday
  return new Intl.DateTimeFormat(i18n.locale, { weekday: "short", timeZone: "UTC" }).format(date);
}
