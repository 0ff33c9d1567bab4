import { type ReactNode, useId } from "react";
import { cx } from "./cx";

/** The frame of a page: title, tools beside it, content below. */
export function Page({ title, tools, children }: { title: ReactNode; tools?: ReactNode; children: ReactNode }) {
  return (
    <div className="mx-auto flex w-full max-w-7xl flex-col gap-4 p-3 pb-28 sm:p-5 sm:pb-28">
      <header className="flex flex-wrap items-center gap-3">
        <h1 className="mr-auto text-2xl font-bold">{title}</h1>
        {tools}
      </header>
      {children}
    </div>
  );
}

export function Panel(props: { title?: ReactNode; tools?: ReactNode; className?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section
      aria-labelledby={props.title ? id : undefined}
      className={cx("rounded-2xl border border-line bg-panel p-4", props.className)}
    >
      {(props.title || props.tools) && (
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <h2 id={id} className="mr-auto text-lg font-semibold">
            {props.title}
          </h2>
          {props.tools}
        </div>
      )}
      {props.children}
    </section>
  );
}
