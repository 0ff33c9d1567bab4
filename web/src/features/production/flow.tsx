import { ChevronDown, ChevronRight } from "lucide-react";
import type { ReactNode } from "react";

/** Things in their order with arrows between: side by side where there is room, else below each other. */
export function Flow<T>(props: { label: string; of: T[]; keyOf: (one: T) => number; show: (one: T) => ReactNode }) {
  return (
    <ol aria-label={props.label} className="flex flex-col gap-1 lg:flex-row lg:flex-wrap">
      {props.of.map((one, index) => (
        <li
          key={props.keyOf(one)}
          className="flex min-w-0 flex-col items-stretch gap-1 lg:max-w-80 lg:flex-1 lg:basis-60 lg:flex-row"
        >
          {props.show(one)}
          {index < props.of.length - 1 && (
            <span aria-hidden className="self-center text-soft">
              <ChevronRight className="max-lg:hidden" />
              <ChevronDown className="lg:hidden" />
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}
