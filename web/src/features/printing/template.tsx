import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate, useParams } from "@tanstack/react-router";
import { CheckCheck, FlaskConical, Save } from "lucide-react";
import { useState } from "react";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { Button, LinkButton } from "@/ui/button";
import { Input } from "@/ui/field";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { FieldList } from "./field-list";
import { Preview } from "./preview";
import { proveVersion } from "./proof";
import { useTemplate } from "./queries";
import type { LabelField, LabelTemplate, LabelVersion } from "./types";

/** One template: its fields as a form, a live picture, the proof, and which version prints. */
export function TemplatePage() {
  const { t } = useLingui();
  const { code } = useParams({ strict: false }) as { code: string };
  const template = useTemplate(code);
  const newest = template.data?.versions[0];
  return (
    <Page
      title={code === "new" ? t`New template` : (template.data?.name ?? code)}
      tools={<LinkButton to="/printing/$part" params={{ part: "templates" }}>{t`All templates`}</LinkButton>}
    >
      {code !== "new" && <Pending of={template} />}
      {(code === "new" || newest) && (
        <Editor key={`${code}-${newest?.id ?? 0}`} template={template.data ?? null} newest={newest ?? null} />
      )}
      {template.data && <Versions template={template.data} />}
    </Page>
  );
}

function Editor({ template, newest }: { template: LabelTemplate | null; newest: LabelVersion | null }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const navigate = useNavigate();
  const mayManage = may(who, "labels.manage");
  const [fields, setFields] = useState<LabelField[]>(newest?.fields ?? []);
  const [size, setSize] = useState({ width: newest?.width_mm ?? 60, height: newest?.height_mm ?? 30 });
  const [head, setHead] = useState({
    code: template?.code ?? "",
    label_type: template?.label_type ?? "order_ticket",
    name: template?.name ?? "",
    media: template?.media ?? "",
  });
  const [problem, setProblem] = useState<string | null>(null);

  async function save() {
    setProblem(null);
    try {
      await command("save_label_template", {
        p_code: head.code,
        p_label_type: head.label_type,
        p_name: head.name,
        p_media: head.media || null,
        p_width_mm: size.width,
        p_height_mm: size.height,
        p_fields: fields,
        p_site: template?.site ?? null,
      } as never);
      await queries.invalidateQueries({ queryKey: ["label-template", head.code] });
      await queries.invalidateQueries({ queryKey: ["label-templates"] });
      toast("ok", t`Saved. It prints after its proof, when you activate it.`);
      void navigate({ to: "/printing/templates/$code", params: { code: head.code } });
    } catch (error) {
      setProblem(explain(error));
    }
  }

  const text = (key: keyof typeof head, label: string, rest: object = {}) => (
    <Input
      label={label}
      value={head[key]}
      disabled={!mayManage}
      onChange={(event) => setHead((old) => ({ ...old, [key]: event.target.value }))}
      {...rest}
    />
  );
  const millimetres = (key: keyof typeof size, label: string) => (
    <Input
      label={label}
      type="number"
      step="0.5"
      min="8"
      value={size[key]}
      disabled={!mayManage}
      onChange={(event) => setSize((old) => ({ ...old, [key]: event.target.valueAsNumber || old[key] }))}
    />
  );
  return (
    <div className="grid gap-4 lg:grid-cols-[1fr_26rem]">
      <Panel>
        <div className="grid gap-3 sm:grid-cols-2">
          {text("name", t`Name`)}
          {text("code", t`Code`, { disabled: template !== null, pattern: "[a-z][a-z0-9_]*" })}
          {text("label_type", t`Kind of label`, { disabled: template !== null })}
          {text("media", t`Roll it needs`, { placeholder: t`Any` })}
          {millimetres("width", t`Width (mm)`)}
          {millimetres("height", t`Height (mm)`)}
        </div>
        <FieldList fields={fields} onChange={setFields} mayManage={mayManage} />
        {problem && (
          <p role="alert" className="mt-3 font-medium text-bad">
            {problem}
          </p>
        )}
        {mayManage && (
          <Button look="primary" className="mt-4" onClick={() => void save()} disabled={fields.length === 0}>
            <Save aria-hidden /> <Trans>Save as a new draft</Trans>
          </Button>
        )}
      </Panel>
      <Preview fields={fields} width={size.width} height={size.height} />
    </div>
  );
}

function Versions({ template }: { template: LabelTemplate }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [proving, setProving] = useState<{ id: number; done: number; of: number } | null>(null);
  const mayManage = may(who, "labels.manage");

  async function run(work: () => Promise<void>) {
    try {
      await work();
    } catch (error) {
      toast("bad", explain(error));
    }
    setProving(null);
    await queries.invalidateQueries({ queryKey: ["label-template", template.code] });
    await queries.invalidateQueries({ queryKey: ["label-templates"] });
  }
  const prove = (version: LabelVersion) =>
    run(async () => {
      const passed = await proveVersion(version.id, (done, of) => setProving({ id: version.id, done, of }));
      if (passed) toast("ok", t`Every code was read back at 203, 300 and 600 dpi.`);
      else toast("bad", t`Some codes could not be read back. Make them larger, or give them more room.`);
    });
  const activate = (version: LabelVersion) =>
    run(async () => {
      await command("activate_label_version", { p_version_id: version.id } as never);
      toast("ok", t`Version ${version.version} prints from now on.`);
    });

  return (
    <Panel title={<Trans>Versions</Trans>}>
      <ul className="flex flex-col divide-y divide-line">
        {template.versions.map((version) => (
          <li key={version.id} className="flex min-h-14 flex-wrap items-center gap-3 py-2">
            <span className="min-w-0 flex-1">
              <Trans>Version {version.version}</Trans>
            </span>
            <ProofBadge version={version} />
            <Badge tone={version.status === "active" ? "ok" : "plain"}>
              {{ active: t`Prints`, draft: t`Draft`, retired: t`Retired` }[version.status]}
            </Badge>
            {proving?.id === version.id && (
              <progress className="h-3 w-40" value={proving.done} max={proving.of} aria-label={t`Proof`} />
            )}
            {mayManage && !version.is_proved && (
              <Button disabled={proving !== null} onClick={() => void prove(version)}>
                <FlaskConical aria-hidden className="size-5" /> <Trans>Prove that it scans</Trans>
              </Button>
            )}
            {mayManage && version.is_proved && version.status !== "active" && (
              <Button look="primary" onClick={() => void activate(version)}>
                <CheckCheck aria-hidden className="size-5" /> <Trans>Activate</Trans>
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function ProofBadge({ version }: { version: LabelVersion }) {
  const { t } = useLingui();
  if (version.is_proved) return <Badge tone="ok">{t`Proved: it scans`}</Badge>;
  const wrong = version.proofs.filter((proof) => !proof.passed).map((proof) => proof.dpi);
  if (wrong.length === 0) return <Badge tone="warn">{t`Not proved yet`}</Badge>;
  return <Badge tone="bad">{t`Does not scan at ${[...new Set(wrong)].join(", ")} dpi`}</Badge>;
}
