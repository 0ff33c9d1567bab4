import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Input, Switch, TextArea } from "@/ui/field";
import { Panel } from "@/ui/page";
import { unitCommand } from "./act";
import { Preview } from "./rules-preview";
import { ComponentRows, TestRows } from "./rules-rows";
import { insertsOf } from "./rules-words";
import type { RequiredTest, RuleSet, RuleVersion, Variant } from "./types";

const listOf = (text: string) => text.split(/[,\n]/).flatMap((one) => one.trim() || []);

/** A new version of the rules, begun from `from`; looked at before it is kept. */
export function RulesForm(props: { variant: Variant; from: RuleVersion | null; onClose: () => void }) {
  const { t } = useLingui();
  const { variant, from } = props;
  const [tests, setTests] = useState<RequiredTest[]>(from?.required_tests ?? []);
  const [parts, setParts] = useState(from?.required_components ?? []);
  const [shown, setShown] = useState<RuleSet | null>(null);

  function read(form: FormData): RuleSet {
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const given = <T extends object>(fields: T) =>
      Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== "" && value !== false)) as Partial<T>;
    const inserts = insertsOf(text("inserts"));
    return {
      allowed_hw_revs: listOf(text("hardware")),
      firmware: given({
        required_prefix: text("prefix"),
        range: text("range"),
        build_hash: text("hash"),
        require_build_hash: form.get("needs_hash") !== null,
      }),
      packaging: { require_device_label: form.get("label") !== null, kit_required: form.get("kit") !== null },
      manual: {
        ...given({ language_set: text("languages").toUpperCase() }),
        ...(Object.keys(inserts).length > 0 && { min_insert_versions: inserts }),
      },
      required_tests: tests.filter((one) => one.test !== ""),
      required_components: parts.filter((one) => one.sku !== ""),
    };
  }
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const rules = read(form);
    const button = (event.nativeEvent as SubmitEvent).submitter as HTMLButtonElement | null;
    if (button?.value === "preview") return setShown(rules);
    const given = { p_variant: variant.code, p_rules: rules, p_note: String(form.get("note")).trim() || null };
    const done = await unitCommand<RuleVersion>(
      "save_variant_rules",
      given,
      ({ version }) => t`Version ${version} is kept as a draft. Put it in force when it shall count.`,
    );
    if (done) props.onClose();
  }
  const inserts = Object.entries(from?.manual.min_insert_versions ?? {});
  return (
    <Panel title={t`New rules for ${variant.title}`}>
      <form onSubmit={send} className="flex flex-col gap-4">
        <div className="grid gap-3 sm:grid-cols-2">
          <Input
            label={t`Allowed hardware revisions`}
            note={t`With commas between; empty: any.`}
            name="hardware"
            defaultValue={from?.allowed_hw_revs.join(", ")}
            autoComplete="off"
          />
          <Input
            label={t`Firmware versions`}
            note={t`Like >=1.4.0 <2, ^1.4 or ~1.4.2; empty: any.`}
            name="range"
            defaultValue={from?.firmware.range}
            autoComplete="off"
          />
          <Input
            label={t`Firmware begins with`}
            name="prefix"
            defaultValue={from?.firmware.required_prefix}
            autoComplete="off"
          />
          <Input
            label={t`Exactly this build`}
            name="hash"
            defaultValue={from?.firmware.build_hash}
            autoComplete="off"
          />
          <Switch
            label={t`The build hash must be known`}
            name="needs_hash"
            defaultChecked={from?.firmware.require_build_hash ?? false}
          />
          <Switch
            label={t`Its label must be printed`}
            name="label"
            defaultChecked={from?.packaging.require_device_label ?? false}
          />
          <Switch label={t`It needs a kit`} name="kit" defaultChecked={from?.packaging.kit_required ?? true} />
          <Input
            label={t`Languages of the kit`}
            note={t`Empty: ${variant.default_language_set}, as the variant says.`}
            name="languages"
            pattern="[A-Za-z]{2,3}(-[A-Za-z]{2,3})*"
            defaultValue={from?.manual.language_set}
            autoComplete="off"
          />
          <TextArea
            label={t`Oldest inserts that may go in`}
            note={t`One a line, like: manual 3.1`}
            name="inserts"
            defaultValue={inserts.map(([name, version]) => `${name} ${version}`).join("\n")}
          />
          <TextArea label={t`Note`} note={t`Why there is a new version.`} name="note" maxLength={500} />
        </div>
        <TestRows tests={tests} onChange={setTests} />
        <ComponentRows parts={parts} onChange={setParts} />
        {shown && <Preview variant={variant.code} rules={shown} />}
        <div className="flex flex-wrap gap-2">
          <Button type="submit" name="do" value="preview">
            <Trans>Show what would change</Trans>
          </Button>
          <Button look="primary" type="submit" name="do" value="save">
            <Trans>Keep as a draft</Trans>
          </Button>
          <Button look="quiet" onClick={props.onClose}>
            <Trans>Leave it</Trans>
          </Button>
        </div>
      </form>
    </Panel>
  );
}
