/** How wedges and copied texts show the separator. */
const SHOWN = /<GS>|\{GS\}|␝|\\x1d|\\u001d/gi;
const SEPARATOR = "\u001d";
/** A symbology identifier, brackets, or a link say that it is one. */
const MARKED = /^\](C1|e0|d2|Q3|J1)|^\(\d{2,4}\)[^(]|^https?:\/\/\S+\/01\/\d{8,14}/;
/** An ordinary wedge sends none of them: then it begins with a GTIN or an SSCC. */
const KEYED = /^(?:0[12](\d{14})|00(\d{18}))/;

/** Is the last digit the check digit of the others? No code of our own begins like that by chance. */
const isChecked = (digits: string): boolean =>
  [...digits].reduce((sum, digit, index) => sum + Number(digit) * (index % 2 === 0 ? 3 : 1), 0) % 10 === 0;

/** Is it a GS1 code? The rule of the gatekeeper (services/api/gs1.py), which reads them. */
export function isGs1(scanned: string): boolean {
  const code = scanned.replace(SHOWN, SEPARATOR);
  const key = KEYED.exec(code);
  return MARKED.test(code) || code.includes(SEPARATOR) || (key !== null && isChecked(key[1] ?? key[2] ?? ""));
}
