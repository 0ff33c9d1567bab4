import { Link, type LinkProps } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { cx } from "./cx";

type Look = "primary" | "plain" | "quiet" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent hover:brightness-110 font-semibold",
  plain: "bg-panel text-ink border border-edge hover:bg-sunk",
  quiet: "text-ink hover:bg-sunk",
  danger: "bg-bad-bg text-bad border border-bad font-semibold hover:brightness-95",
};
const SHAPE =
  "inline-flex min-h-12 min-w-12 items-center justify-center gap-2 rounded-lg px-4 text-base leading-tight select-none " +
  "transition-[filter,background-color] disabled:opacity-60";

export function Button({ look = "plain", className, type, ...rest }: ComponentProps<"button"> & { look?: Look }) {
  return <button type={type ?? "button"} className={cx(SHAPE, LOOKS[look], className)} {...rest} />;
}

export function LinkButton({
  look = "plain",
  className,
  ...rest
}: LinkProps & Pick<ComponentProps<"a">, "onClick" | "className"> & { look?: Look }) {
  return <Link className={cx(SHAPE, LOOKS[look], className)} {...rest} />;
}
