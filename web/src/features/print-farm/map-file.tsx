import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { Pending } from "@/ui/states";
import { farm, mapFile } from "./act";
import { linesOf, type PartRow, PartRows, partRow } from "./part-rows";
import { useGcode } from "./queries";
import type { GcodeFile } from "./types";

/** A file to be mapped; `sku` and `quantity`: a part that it shall give, beside what it gives already. */
export interface Mapped {
  name: string;
  plate: number | null;
  sku?: string;
  quantity?: number;
}

/** Which parts a file gives: first which file, then its parts, all of them. */
export function MapFileDialog({ start, onClose }: { start: Mapped; onClose: () => void }) {
  const { t } = useLingui();
  const [{ name, plate }, setFile] = useState({ name: start.name, plate: start.plate });
  const file = useGcode(name, plate);
  return (
    <Dialog
      open
      onClose={onClose}
      title={name ? t`What ${name} gives` : t`Map a file`}
      note={t`Folder, capitals and .gcode or .3mf do not matter.`}
    >
      {name === "" ? (
        <WhichFile onChosen={setFile} />
      ) : (
        <>
          <Pending of={file} />
          {file.data && <WhichParts file={file.data} name={name} start={start} onClose={onClose} />}
        </>
      )}
    </Dialog>
  );
}

function WhichFile({ onChosen }: { onChosen: (file: { name: string; plate: number | null }) => void }) {
  const { t } = useLingui();
  function choose(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const plate = Number(form.get("plate"));
    onChosen({ name: String(form.get("name")).trim(), plate: plate > 0 ? plate : null });
  }
  return (
    <form onSubmit={choose} className="flex flex-col gap-3">
      <Input label={t`File or project`} name="name" placeholder="kiosk_plates.3mf" required autoFocus />
      <Input
        label={t`Plate`}
        name="plate"
        type="number"
        min={1}
        max={999}
        note={t`Empty: the plate in the name, else every plate of the file.`}
      />
      <Button look="primary" type="submit">
        <Trans>Next</Trans>
      </Button>
    </form>
  );
}

function firstRows(file: GcodeFile, start: Mapped): PartRow[] {
  const rows = file.parts.map(({ sku, quantity, object_ids }, n) => partRow(n, sku, quantity, object_ids));
  const { sku = "", quantity } = start;
  if (rows.length > 0 && (sku === "" || rows.some((row) => row.sku === sku))) return rows;
  return [...rows, partRow(rows.length, sku, quantity)];
}

function WhichParts(props: { file: GcodeFile; name: string; start: Mapped; onClose: () => void }) {
  const { t } = useLingui();
  const { file, name, start, onClose } = props;
  const [rows, setRows] = useState(() => firstRows(file, start));

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (await mapFile(name, file.plate, linesOf(rows))) onClose();
  }
  async function unmap() {
    const given = { p_gcode_filename: name, p_plate: file.plate };
    const done = await farm("unmap_gcode", given as never, () => t`${name}: its next prints wait for a person.`);
    if (done) onClose();
  }

  return (
    <form onSubmit={save} className="flex flex-col gap-3">
      <p className="text-soft">
        {file.plate === null ? (
          <Trans>Every plate of the file, good parts of one print:</Trans>
        ) : (
          <Trans>Plate {file.plate}, good parts of one print:</Trans>
        )}
      </p>
      <PartRows rows={rows} onChange={setRows} />
      <div className="flex flex-wrap gap-2 border-t border-line pt-3">
        {file.parts.length > 0 && (
          <Button look="danger" className="mr-auto" onClick={() => void unmap()}>
            <Trans>It gives nothing any more</Trans>
          </Button>
        )}
        <Button look="primary" type="submit" className="ml-auto">
          <Trans>Keep</Trans>
        </Button>
      </div>
    </form>
  );
}
