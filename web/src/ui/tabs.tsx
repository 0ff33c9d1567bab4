import { Link, type LinkProps } from "@tanstack/react-router";
import { cx } from "./cx";

type Own =
  | "/units"
  | "/units/finished"
  | "/units/yield"
  | "/units/kits"
  | "/variants"
  | "/recall"
  | "/production"
  | "/production/centres"
  | "/production/routings"
  | "/production/import"
  | "/production/approvals"
  | "/production/quality"
  | "/machines"
  | "/machines/stops"
  | "/machines/micro"
  | "/machines/oee"
  | "/machines/shift"
  | "/machines/reliability"
  | "/machines/handover"
  | "/machines/calendar"
  | "/maintenance"
  | "/maintenance/history"
  | "/maintenance/plans"
  | "/maintenance/machines";

/** The parts of a page, each with its own address: that of the part, else `to` with the parameter `part`. */
export function Tabs(props: {
  label: string;
  to?: "/admin/$part" | "/printing/$part" | "/stock/$part" | "/print-farm/$part" | "/station/$part";
  parts: { key: string; label: string; to?: Own }[];
  current: string | undefined;
}) {
  return (
    <nav aria-label={props.label} className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
      {props.parts.map(({ key, label, to }) => (
        <Link
          key={key}
          {...({ to: to ?? props.to, params: { part: key } } as LinkProps)}
          aria-current={key === props.current ? "page" : undefined}
          className={cx(
            "flex min-h-12 items-center rounded-lg px-4",
            key === props.current ? "bg-panel font-semibold shadow" : "text-soft hover:bg-panel",
          )}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
