import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../cx";

/** A table of figures, first column names; scrolls sideways by itself where it is wider than the screen. */
export function DataTable(props: { label: string; heads: ReactNode[]; children: ReactNode; className?: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys
    <div className={cx("overflow-x-auto", props.className)} tabIndex={0}>
      <table aria-label={props.label} className="w-full text-right tabular-nums">
        <thead>
          <tr className="text-sm text-soft">
            {props.heads.map((head, index) =>
              head === "" ? (
                // A picture beside a figure needs no name of its own.
                // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
                <td key={index} />
              ) : (
                <th
                  // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
                  key={index}
                  scope="col"
                  className={cx("px-2 py-1 font-medium", index === 0 && "pl-0 text-left")}
                >
                  {head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

/** A row of it: `name`, then one cell for each child. */
export function DataRow({ name, cells }: { name: ReactNode; cells: ReactNode[] }) {
  return (
    <tr className="border-t border-line">
      <th scope="row" className="py-2 pr-2 text-left font-medium">
        {name}
      </th>
      {cells.map((cell, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
        <td key={index} className="px-2 py-2 whitespace-nowrap">
          {cell}
        </td>
      ))}
    </tr>
  );
}

/** What a chart shows, as a table for whoever wants it. */
export function AsTable({ title, children }: { title: ReactNode; children: ReactNode }) {
  return (
    <details className="group mt-2">
      <summary className="inline-flex min-h-12 cursor-pointer items-center gap-1 rounded-lg px-2 text-soft hover:bg-sunk">
        <ChevronRight aria-hidden className="size-5 group-open:rotate-90" />
        {title}
      </summary>
      {children}
    </details>
  );
}
