import { Link } from "@tanstack/react-router";
import { cx } from "./cx";

/** The parts of a page, each with its own address `to` with the parameter `part`. */
export function Tabs(props: {
  label: string;
  to: "/admin/$part" | "/printing/$part";
  parts: { key: string; label: string }[];
  current: string | undefined;
}) {
  return (
    <nav aria-label={props.label} className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
      {props.parts.map(({ key, label }) => (
        <Link
          key={key}
          to={props.to}
          params={{ part: key }}
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
