import type { FileRow } from "./import-columns";

/**
 * Positions of the rows, so many at a time; rows that name one order go together. To try a batch judges it as if nothing
 * came before it, so no other batch may be about its orders.
 */
export function batchesOf(rows: FileRow[], size: number): number[][] {
  const first = new Map<string, number>();
  const before = rows.map((_, number) => number);
  const head = (number: number): number => {
    let at = number;
    while (before[at] !== at) at = before[at] as number;
    before[number] = at;
    return at;
  };
  rows.forEach((row, number) => {
    const id = row.external_id?.trim() ?? "";
    for (const name of [`id ${id.toLowerCase()}`, `code ${row.code?.trim() || id}`]) {
      if (name.endsWith(" ")) continue;
      if (!first.has(name)) first.set(name, number);
      const [low, high] = [head(number), head(first.get(name) as number)].sort((a, b) => a - b) as [number, number];
      before[high] = low;
    }
  });
  const groups = new Map<number, number[]>();
  rows.forEach((_, number) => {
    const group = head(number);
    groups.set(group, [...(groups.get(group) ?? []), number]);
  });
  const found: number[][] = [];
  for (const group of groups.values()) {
    const last = found.at(-1);
    if (last && last.length + group.length <= size) last.push(...group);
    else found.push([...group]);
  }
  return found;
}
