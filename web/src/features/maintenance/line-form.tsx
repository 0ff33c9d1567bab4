import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import type { Line } from "@/features/machines/types";
import { useSite } from "@/features/production/queries";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Switch, TextArea } from "@/ui/field";
import { maintain } from "./act";

export function LineDialog({ line, onClose }: { line: Line | null; onClose: () => void }) {
  const { t } = useLingui();
  const site = useSite();
  const [isActive, setActive] = useState(line?.is_active ?? true);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const done = await maintain(
      "save_line",
      {
        p_code: line?.code ?? text("code"),
        p_title: text("title"),
        p_description: text("description"),
        p_site: line ? null : site,
        p_is_active: isActive,
        p_version: line?.version ?? 0,
      } as never,
      () => t`The line is saved.`,
    );
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={line ? line.title : t`New line`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        {!line && <Input label={t`Code`} name="code" maxLength={60} required />}
        <Input label={t`Name`} name="title" maxLength={200} required defaultValue={line?.title} />
        <TextArea label={t`Description`} name="description" maxLength={2000} defaultValue={line?.description ?? ""} />
        <Switch label={t`In use`} checked={isActive} onChange={(event) => setActive(event.target.checked)} />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
