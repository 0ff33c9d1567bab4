/**
 * A line of a CSV file as RFC 4180 has it. What a spreadsheet would take for a formula begins with an apostrophe: a
 * customer's name must not run.
 */
export function csvLine(cells: string[]): string {
  const written = cells.map((cell) => {
    const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${written.join(",")}\r\n`;
}
