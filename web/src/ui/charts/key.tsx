import { drawn, type Look } from "./looks";

/** A small piece of a chart, as it is drawn there. */
export function Swatch({ look }: { look: Look }) {
  return (
    <svg aria-hidden className="h-4 w-7 shrink-0 rounded-sm border border-edge">
      <rect width="100%" height="100%" {...drawn(look)} />
    </svg>
  );
}

/** What the parts of a chart mean. */
export function Key({ looks }: { looks: { look: Look; name: string }[] }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-sm text-soft">
      {looks.map(({ look, name }) => (
        <li key={look} className="inline-flex items-center gap-1.5">
          <Swatch look={look} /> {name}
        </li>
      ))}
    </ul>
  );
}
