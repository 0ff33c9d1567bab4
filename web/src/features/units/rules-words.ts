import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { RuleSet } from "./types";
import { firmwareWords, limitWords } from "./words";

/** The rules of a version alone, as they are given back to the server. */
export function ruleSet(rules: RuleSet): RuleSet {
  const { allowed_hw_revs, firmware, packaging, manual, required_tests, required_components } = rules;
  return { allowed_hw_revs, firmware, packaging, manual, required_tests, required_components };
}

const joined = (words: string[]) => words.join(", ");

/** What a unit must fulfil, as lines of a name and words. */
export function ruleWords(rules: RuleSet): [string, string][] {
  const any = i18n._(msg`any`);
  const tests = rules.required_tests.map(({ test, limits }) => {
    const bounds = Object.entries(limits).map(([name, one]) => `${name} ${limitWords(one.min, one.max, one.unit)}`);
    return bounds.length > 0 ? `${test} (${joined(bounds)})` : test;
  });
  const inserts = Object.entries(rules.manual.min_insert_versions ?? {});
  const newest = inserts.map(([name, version]) => i18n._(msg`${name} from version ${version}`));
  const languages = rules.manual.language_set;
  const kit = rules.packaging.kit_required === false ? i18n._(msg`not needed`) : i18n._(msg`needed`);
  const label = rules.packaging.require_device_label ? i18n._(msg`must be printed`) : i18n._(msg`not asked for`);
  return [
    [i18n._(msg`Hardware`), joined(rules.allowed_hw_revs) || any],
    [i18n._(msg`Firmware`), joined(firmwareWords(rules.firmware)) || any],
    [i18n._(msg`Tests`), joined(tests) || i18n._(msg`the latest one, whichever`)],
    [i18n._(msg`Parts`), joined(rules.required_components.map((one) => `${one.quantity} × ${one.sku}`)) || any],
    [i18n._(msg`Kit`), joined([kit, ...(languages ? [languages] : []), ...newest])],
    [i18n._(msg`Label`), label],
  ];
}

/** "manual 3.1" on each line, as {manual: "3.1"}. */
export function insertsOf(text: string): Record<string, string> {
  const pairs = text.split("\n").flatMap((line) => {
    const [, name, version] = /^(.+?)[\s:]+(\S+)$/.exec(line.trim()) ?? [];
    return name && version ? [[name, version] as const] : [];
  });
  return Object.fromEntries(pairs);
}
