import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { LinkButton } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useTemplates } from "./queries";
import { typeName } from "./words";

/** Every label template: which version prints, and what still waits for its proof. */
export function TemplatesPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const templates = useTemplates();
  const tools = may(who, "labels.manage") && (
    <LinkButton to="/printing/templates/$code" params={{ code: "new" }}>
      <Plus aria-hidden /> <Trans>New template</Trans>
    </LinkButton>
  );
  return (
    <Panel title={<Trans>Label templates</Trans>} tools={tools}>
      <Pending of={templates} />
      {templates.data?.length === 0 && <Empty>{t`No templates yet.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {templates.data?.map((one) => (
          <li key={one.code}>
            <Link
              to="/printing/templates/$code"
              params={{ code: one.code }}
              className="flex min-h-16 flex-wrap items-center gap-x-4 gap-y-1 rounded-lg p-2 hover:bg-sunk"
            >
              <span className="min-w-0 flex-1">
                <span className="block font-semibold">{one.name}</span>
                <span className="text-sm text-soft">
                  {typeName(one.label_type)} · {one.width_mm} × {one.height_mm} mm{one.media ? ` · ${one.media}` : ""}
                </span>
              </span>
              {one.is_default && <Badge tone="accent">{t`Default`}</Badge>}
              <Badge tone={one.active_version ? "ok" : "warn"}>
                {one.active_version ? t`Version ${one.active_version} prints` : t`Nothing prints yet`}
              </Badge>
              {one.newest_status === "draft" && (
                <Badge tone="warn">
                  {one.newest_is_proved
                    ? t`Version ${one.newest_version} is proved, not active`
                    : t`Version ${one.newest_version} is a draft`}
                </Badge>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
