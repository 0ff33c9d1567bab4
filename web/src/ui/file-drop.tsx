import { Trans } from "@lingui/react/macro";
import { FileUp } from "lucide-react";

/** The place where a table is chosen or dropped: a CSV file, or a workbook. */
export function FileDrop({ onOpen }: { onOpen: (file: File) => void }) {
  return (
    <label
      className="flex min-h-28 cursor-pointer flex-col items-center justify-center gap-2 rounded-xl border-2 border-dashed
        border-edge p-4 text-center focus-within:outline-3 focus-within:outline-accent hover:bg-sunk"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const [file] = event.dataTransfer.files;
        if (file) onOpen(file);
      }}
    >
      <FileUp aria-hidden />
      <span className="font-semibold">
        <Trans>Choose a CSV file or a workbook, or drop it here</Trans>
      </span>
      <input
        type="file"
        accept=".csv,.tsv,.txt,.xlsx"
        className="sr-only"
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          if (file) onOpen(file);
          event.target.value = ""; // the same file, mended, may be chosen again
        }}
      />
    </label>
  );
}
