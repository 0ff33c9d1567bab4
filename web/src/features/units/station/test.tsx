import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, CircleX } from "lucide-react";
import { useRef, useState } from "react";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Plots } from "../tests";
import type { RequiredTest, TestAnswer, UnitDetail } from "../types";
import { limitWords } from "../words";
import { type Bench, type Said, useBench } from "./bench";
import { BenchFrame } from "./frame";

const ANY: RequiredTest = { test: "final", limits: {} };
const testsOf = (on: UnitDetail | undefined): RequiredTest[] =>
  on?.gate.expected.required_tests?.length ? on.gate.expected.required_tests : [ANY];

/** Scan a unit, test it, say what was measured. Fixtures report by themselves; this is for those who test by hand. */
export function TestStation() {
  const { t } = useLingui();
  const form = useRef<HTMLFormElement>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const testOf = (on: UnitDetail | undefined) =>
    testsOf(on).find((one) => one.test === chosen) ?? testsOf(on)[0] ?? ANY;

  const record = (result: "PASS" | "FAIL") => (on: UnitDetail) => {
    const test = testOf(on);
    const given = { p_sn: on.unit.sn, p_result: result, p_test: test.test, p_metrics: measured(form.current, test) };
    return bench.run<TestAnswer>("record_test_result", given, (data) => {
      form.current?.reset();
      return answerWords(data);
    });
  };
  function answerWords(data: TestAnswer): Said {
    const { sn } = data.unit;
    if (data.result === "PASS") return { tone: "ok", title: t`${sn} passed.`, text: data.next_action };
    const [broken] = data.why;
    if (!broken) return { tone: "bad", title: t`${sn} failed.`, text: t`Find the fault, then test it again.` };
    const found = broken.value === null ? t`not measured` : formatNumber(broken.value);
    return {
      tone: "bad",
      title: t`${sn} failed: ${data.why.map((one) => one.metric).join(", ")}`,
      text: t`Find the fault, then test it again.`,
      expected: `${broken.metric}: ${limitWords(broken.min, broken.max, broken.unit)}`,
      actual: `${broken.metric}: ${found}`,
    };
  }
  const bench: Bench = useBench({ ok: record("PASS"), fail: record("FAIL") });
  const { on } = bench;
  const test = testOf(on);
  const passed = on?.unit.status === "TEST_PASS";
  return (
    <BenchFrame
      bench={bench}
      steps={[
        { label: t`Scan the unit`, done: on !== undefined && !passed },
        { label: t`Test it and say what it measured`, done: passed },
      ]}
      ok={t`Passed`}
      fail={t`Failed`}
    >
      {on && (
        <form
          ref={form}
          key={`${on.unit.sn} ${test.test}`}
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            bench.press(record("PASS"));
          }}
        >
          {testsOf(on).length > 1 && (
            <Select label={t`Test`} value={test.test} onChange={(event) => setChosen(event.target.value)}>
              {testsOf(on).map((one) => (
                <option key={one.test}>{one.test}</option>
              ))}
            </Select>
          )}
          <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
            {Object.entries(test.limits).map(([metric, limit]) => (
              <Input
                key={metric}
                label={limit.unit ? `${metric} (${limit.unit})` : metric}
                note={limitWords(limit.min, limit.max, limit.unit)}
                name={metric}
                type="number"
                step="any"
                inputMode="decimal"
                autoComplete="off"
              />
            ))}
          </div>
          <div className="flex flex-wrap gap-2">
            <Button look="primary" type="submit" className="min-h-16 flex-1 text-xl">
              <CircleCheck aria-hidden /> <Trans>Passed</Trans>
            </Button>
            <Button look="danger" className="min-h-16 flex-1 text-xl" onClick={() => bench.press(record("FAIL"))}>
              <CircleX aria-hidden /> <Trans>Failed</Trans>
            </Button>
          </div>
        </form>
      )}
      {on && (
        <Panel className="mt-4 p-0! border-0!">
          <Plots test={test.test} variant={on.unit.variant_code} sn={on.unit.sn} />
        </Panel>
      )}
    </BenchFrame>
  );
}

/** What stands in the fields, with the units of the limits. */
function measured(
  form: HTMLFormElement | null,
  test: RequiredTest,
): Record<string, { value: number; unit: string | null }> {
  const values = form ? new FormData(form) : new FormData();
  const typed = Object.entries(test.limits).flatMap(([metric, limit]) => {
    const text = String(values.get(metric) ?? "").trim();
    return text === "" ? [] : [[metric, { value: Number(text), unit: limit.unit ?? null }] as const];
  });
  return Object.fromEntries(typed);
}
