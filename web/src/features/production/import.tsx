import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { explain } from "@/lib/messages";
import { sendFile } from "@/lib/send-file";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { FileDrop } from "@/ui/file-drop";
import { Panel } from "@/ui/page";
import { Empty, Loading } from "@/ui/states";
import { ProductionFrame } from "./frame";
import { ImportMap } from "./import-map";
import type { Sheet } from "./import-report";

/** Orders of another system: a file or pasted cells, its columns named, tried, then imported in batches. */
export function ImportPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  return (
    <ProductionFrame current="import">
      {may(who, "production.import") ? <Import /> : <Empty>{t`Your role may not import. Ask a planner.`}</Empty>}
    </ProductionFrame>
  );
}

function Import() {
  const [sheet, setSheet] = useState<(Sheet & { n: number }) | null>(null);
  const [isReading, setReading] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  async function read(name: string, file: Blob) {
    setReading(true);
    setProblem(null);
    setSheet(null);
    try {
      const table = await sendFile<Omit<Sheet, "name">>("/api/v1/tables", { name }, file);
      setSheet({ ...table, name, n: Date.now() });
    } catch (error) {
      setProblem(error);
    } finally {
      setReading(false);
    }
  }
  return (
    <>
      {!sheet && <Source read={(name, file) => void read(name, file)} />}
      {isReading && <Loading />}
      {problem !== null && (
        <p role="alert" className="rounded-xl border border-bad bg-bad-bg p-4 font-medium text-bad">
          {explain(problem)}
        </p>
      )}
      {sheet && <ImportMap key={sheet.n} sheet={sheet} onDone={() => setSheet(null)} />}
    </>
  );
}

function Source({ read }: { read: (name: string, file: Blob) => void }) {
  const { t } = useLingui();
  function paste(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("cells"));
    read(t`Pasted cells`, new Blob([text]));
  }
  return (
    <>
      <Panel title={<Trans>Orders of another system</Trans>}>
        <FileDrop onOpen={(file) => read(file.name, file)} />
        <p className="mt-3 text-sm text-soft">
          <Trans>
            The first line names the columns; what they mean is chosen next. Nothing is imported before you have seen
            what would happen.
          </Trans>
        </p>
      </Panel>
      <Panel title={<Trans>Or paste them</Trans>}>
        <form onSubmit={paste} className="flex flex-col gap-3">
          <TextArea
            label={t`Cells with the names of their columns, as a spreadsheet copies them`}
            name="cells"
            required
            rows={6}
            className="font-mono"
          />
          <Button type="submit" className="self-start">
            <Trans>Read them</Trans>
          </Button>
        </form>
      </Panel>
    </>
  );
}
