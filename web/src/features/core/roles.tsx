import { Trans, useLingui } from "@lingui/react/macro";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { useRights } from "./queries";

/** Roles × permissions. The change works at everybody's next call. */
export function RolesPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const rights = useRights();
  const roles = rights.data?.roles.filter((role) => role.audience === "staff") ?? [];
  const granted = new Set(rights.data?.granted.map((one) => `${one.role} ${one.permission}`));
  async function set(p_role: string, p_permission: string, p_granted: boolean) {
    try {
      await command("set_role_permission", { p_role, p_permission, p_granted } as never);
    } catch (error) {
      toast("bad", explain(error));
    }
    await queries.invalidateQueries({ queryKey: ["rights"] });
  }
  return (
    <Panel title={<Trans>What each role may do</Trans>}>
      <Pending of={rights} />
      {rights.data && (
        // biome-ignore lint/a11y: what scrolls must be reachable by keyboard, and the panel is the landmark already
        <div role="group" aria-label={t`What each role may do`} tabIndex={0} className="max-h-[70dvh] overflow-auto">
          <table className="w-full border-collapse text-sm">
            <thead>
              <tr>
                <th scope="col" className="sticky top-0 left-0 z-10 bg-panel py-2 pr-2 text-left font-semibold">
                  {t`Permission`}
                </th>
                {roles.map((role) => (
                  <th key={role.role} scope="col" className="sticky top-0 bg-panel px-1 py-2 font-semibold">
                    {role.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rights.data.permissions.map(({ permission, description }) => (
                <tr key={permission} className="border-t border-line">
                  <th scope="row" className="sticky left-0 bg-panel py-2 pr-2 text-left font-normal">
                    <span className="block font-mono">{permission}</span>
                    <span className="text-soft">{description}</span>
                  </th>
                  {roles.map((role) => {
                    const on = granted.has(`${role.role} ${permission}`);
                    return (
                      <td key={role.role} className="p-0 text-center">
                        <label className="inline-flex size-12 items-center justify-center">
                          <span className="sr-only">{`${role.title}: ${permission}`}</span>
                          <input
                            type="checkbox"
                            className="size-6 accent-(--accent)"
                            checked={on}
                            disabled={!may(who, "roles.manage")}
                            onChange={() => void set(role.role, permission, !on)}
                          />
                        </label>
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
