import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** A row of a file: column → cell, as text. */
export type FileRow = Record<string, string | null>;

/** What a row of import_production_orders may say, with its name for people and the names that other systems give it. */
const FIELDS = {
  external_id: [
    msg`Its number in that system`,
    "externalid id orderid order orderno ordernumber erpid op opnumber auftrag auftragsnummer",
  ],
  version: [msg`Version`, "version revision rev changeno"],
  code: [msg`Its number here`, "code ourcode ourno productionorder"],
  product_sku: [
    msg`Product (SKU)`,
    "productsku sku product item itemno article articleno artikel artikelnummer material partno part",
  ],
  quantity: [msg`Quantity`, "quantity qty pieces amount menge planned plannedquantity"],
  due_date: [msg`Due date`, "duedate due deadline needby delivery deliverydate termin liefertermin"],
  priority: [msg`Priority`, "priority urgency prio"],
  site: [msg`Site`, "site plant werk location"],
  store: [msg`Store`, "store shop"],
  type: [msg`Type`, "type kind ordertype"],
  notes: [msg`Notes`, "notes note remark remarks comment comments text"],
  cancelled: [msg`Cancelled`, "cancelled canceled iscancelled storno"],
} satisfies Record<string, [MessageDescriptor, string]>;

export type Field = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as Field[];
export const fieldName = (field: Field): string => i18n._(FIELDS[field][0]);

/** Which field each column of a file goes into; a column that is missing here is left out. */
export type Mapping = Partial<Record<string, Field>>;

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** A proposal by the names of the columns; each field once, its own name before others. */
export function propose(columns: string[]): Mapping {
  const found: Mapping = {};
  const taken = new Set<Field>();
  const take = (fits: (field: Field, name: string) => boolean) => {
    for (const column of columns) {
      const field = FIELD_NAMES.find((one) => !found[column] && !taken.has(one) && fits(one, plain(column)));
      if (!field) continue;
      found[column] = field;
      taken.add(field);
    }
  };
  take((field, name) => plain(field) === name);
  take((field, name) => FIELDS[field][1].split(" ").includes(name));
  return found;
}

/** Fields that several columns go into. */
export const twice = (mapping: Mapping): Field[] =>
  FIELD_NAMES.filter((field) => Object.values(mapping).filter((one) => one === field).length > 1);

/** The rows as the server takes them. */
export const mapped = (rows: FileRow[], mapping: Mapping): FileRow[] =>
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(mapping).flatMap(([column, field]) => (field && row[column] ? [[field, row[column]]] : [])),
    ),
  );
