import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, CircleDashed, Hammer } from "lucide-react";
import { useState } from "react";
import { scannedItem } from "@/features/inventory/scan";
import type { Tone } from "@/lib/feedback";
import { queries } from "@/lib/query";
import { rows } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { toast } from "@/ui/toast";
import { unitCommand } from "../act";
import { componentsQuery, rulesQuery, useComponents, useRules } from "../queries";
import type { Component, Lot, RuleVersion, UnitChange, UnitDetail } from "../types";
import { type Bench, useBench } from "./bench";
import { BenchFrame } from "./frame";

interface Needed {
  sku: string;
  quantity: number;
  there: number;
}
interface Found {
  sku: string;
  lot?: string;
  serial?: string;
}

/** The parts that the rules ask for, with what is in there; then others that are in there. */
function needed(rules: RuleVersion[], parts: Component[]): Needed[] {
  const wanted = rules.find((one) => one.is_active)?.required_components ?? [];
  const there = (sku: string) => parts.filter((one) => one.sku === sku).reduce((sum, one) => sum + one.quantity, 0);
  const more = [...new Set(parts.map((one) => one.sku))].filter((sku) => !wanted.some((one) => one.sku === sku));
  return [...wanted, ...more.map((sku) => ({ sku, quantity: 0 }))].map((one) => ({ ...one, there: there(one.sku) }));
}

/** The same as it is now: scans do not wait for the page. */
async function neededNow({ unit }: UnitDetail): Promise<Needed[]> {
  const rules = unit.variant_code === null ? [] : await queries.fetchQuery(rulesQuery(unit.variant_code));
  return needed(rules, await queries.fetchQuery(componentsQuery(unit.sn)));
}

async function lotsNamed(code: string): Promise<Lot[]> {
  const ways = [...new Set([code, code.toUpperCase(), code.toLowerCase()])];
  return rows<Lot[]>(db().from("lots").select("*").in("code", ways).limit(20));
}

/** Scan a unit, scan what goes into it, say when it is whole. */
export function AssemblyStation() {
  const { t } = useLingui();
  const [asked, setAsked] = useState<{ code: string; choices: Found[] } | null>(null);

  async function install(found: Found, on: UnitDetail): Promise<Tone> {
    setAsked(null);
    const need = (await neededNow(on)).find((one) => one.sku === found.sku);
    const rest = need ? need.quantity - need.there : 0;
    if (need && need.quantity > 0 && rest <= 0) {
      const full = t`${formatNumber(need.there)} of ${formatNumber(need.quantity)}`;
      return bench.say({ tone: "ask", title: t`${found.sku} is all in already.`, text: full });
    }
    const given = {
      p_sn: on.unit.sn,
      p_sku: found.sku,
      p_lot: found.lot ?? null,
      p_component_sn: found.serial ?? null,
      p_quantity: found.serial || rest <= 0 ? 1 : rest,
    };
    return bench.run<{ component: Component; changed: boolean }>(
      "install_component",
      given,
      ({ component, changed }) => {
        if (changed) offerBack(component, t`${component.sku} is in.`, t`Undo`);
        const title = [component.quantity > 1 ? `${formatNumber(component.quantity)} ×` : "", component.sku]
          .join(" ")
          .trim();
        return {
          tone: "ok",
          title,
          text: found.lot ? t`Lot ${found.lot}` : found.serial ? t`Serial ${found.serial}` : null,
        };
      },
    );
  }
  async function takePart(code: string, on: UnitDetail): Promise<Tone> {
    const lots = await lotsNamed(code);
    const [lot] = lots;
    if (lot && lots.length === 1) return install({ sku: lot.sku, lot: lot.code }, on);
    if (lot)
      return ask(
        code,
        lots.map((one) => ({ sku: one.sku, lot: one.code })),
      );
    const item = await scannedItem(code);
    if (item) return install({ sku: item.sku }, on);
    const all = await neededNow(on);
    const open = all.filter((one) => one.there < one.quantity);
    const choices = (open.length > 0 ? open : all).map((one) => ({ sku: one.sku, serial: code }));
    if (choices.length === 0)
      return bench.say({
        tone: "bad",
        title: t`No part is known by this code.`,
        expected: t`a lot or an item`,
        actual: code,
      });
    return ask(code, choices);
  }
  function ask(code: string, choices: Found[]): Tone {
    setAsked({ code, choices });
    return bench.say({
      tone: "ask",
      title: t`${code}: which part is it?`,
      text: t`Tap it, or scan the label of the item.`,
    });
  }
  const assembled = (on: UnitDetail) =>
    bench.run<UnitChange>("record_assembly", { p_sn: on.unit.sn }, (data) => ({
      tone: "ok",
      title: t`${on.unit.sn} is assembled.`,
      text: data.next_action,
    }));
  const bench: Bench = useBench({
    ok: assembled,
    // After "which part is it?" the item may be scanned as well as tapped.
    other: async (code, on) => {
      const item = asked ? await scannedItem(code) : null;
      const chosen = asked?.choices.find((one) => one.sku === item?.sku);
      return chosen ? install(chosen, on) : takePart(code, on);
    },
    part: async (found, on) => {
      const sku = found.variant?.sku;
      return sku && (await neededNow(on)).some((one) => one.sku === sku)
        ? install({ sku, serial: found.unit.sn }, on)
        : null;
    },
  });
  const { on } = bench;
  const rules = useRules(on?.unit.variant_code ?? null);
  const parts = useComponents(on?.unit.sn ?? "");
  const list = needed(rules.data ?? [], parts.data ?? []);
  const whole = list.every((one) => one.there >= one.quantity);
  const done = on?.unit.status === "ASSEMBLED" && whole;
  return (
    <BenchFrame
      bench={bench}
      steps={[
        { label: t`Scan the unit`, done: on !== undefined && !done },
        { label: t`Scan its parts`, done: on !== undefined && whole },
        { label: t`Close it`, done },
      ]}
      ok={t`Assembled`}
    >
      {on && asked && (
        <div className="mb-3 flex flex-wrap gap-2">
          {asked.choices.map((one) => (
            <Button key={one.sku} look="primary" onClick={() => bench.press((unit) => install(one, unit))}>
              {one.sku}
            </Button>
          ))}
        </div>
      )}
      {on && <NeededList needed={list} />}
      {on && (
        <Button
          look={whole ? "primary" : "plain"}
          className="mt-3 min-h-16 w-full text-xl"
          onClick={() => bench.press(assembled)}
        >
          <Hammer aria-hidden /> <Trans>Assembled</Trans>
        </Button>
      )}
    </BenchFrame>
  );
}

function offerBack(component: Component, text: string, label: string): void {
  const given = { p_component_id: component.id, p_removal: "recovered" };
  toast("ok", text, { label, run: () => void unitCommand("uninstall_component", given) });
}

function NeededList({ needed }: { needed: Needed[] }) {
  const { t } = useLingui();
  if (needed.length === 0)
    return (
      <p className="text-soft">
        <Trans>The rules ask for no parts. What is scanned is kept.</Trans>
      </p>
    );
  return (
    <ul aria-label={t`Parts of this unit`} className="grid gap-2 sm:grid-cols-2">
      {needed.map(({ sku, quantity, there }) => {
        const full = there >= quantity;
        const Icon = full ? CircleCheck : CircleDashed;
        return (
          <li
            key={sku}
            className={cx(
              "flex min-h-14 items-center gap-3 rounded-lg border-2 px-3",
              full ? "border-ok bg-ok-bg text-ok" : "border-edge bg-panel",
            )}
          >
            <Icon aria-hidden className="shrink-0" />
            <span className="font-mono font-semibold">{sku}</span>
            <span className="ml-auto text-right">
              {quantity > 0 ? (
                <Trans>
                  {formatNumber(there)} of {formatNumber(quantity)}
                </Trans>
              ) : (
                <Trans>{formatNumber(there)}, not asked for</Trans>
              )}
              <b className="block">{full ? <Trans>In</Trans> : <Trans>Missing: scan it</Trans>}</b>
            </span>
          </li>
        );
      })}
    </ul>
  );
}
