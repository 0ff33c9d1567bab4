import { Trans, useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { Camera, CircleCheck, CircleStop } from "lucide-react";
import { useEffect, useState } from "react";
import { newRequestId } from "@/lib/commands";
import { LANGUAGES, type Language, language, setLanguage } from "@/lib/i18n";
import { explain } from "@/lib/messages";
import { rpc } from "@/lib/rpc";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { PhotoInput, usePhotoTo } from "@/ui/photo";
import { Pending } from "@/ui/states";
import { useReportForm } from "./queries";
import type { ReportForm, Ticket } from "./types";
import { symptomName } from "./words";

/** What the QR code of a machine opens: say what is wrong, in one tap and without an account. */
export function ReportPage() {
  const { t } = useLingui();
  const { token } = useParams({ strict: false }) as { token: string };
  const form = useReportForm(token);
  const [sent, setSent] = useState<{ ticket: Ticket; photo: File | null } | null>(null);
  const chosen = useStore(language);
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-xl flex-col gap-4 p-4">
      <header className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          <h1 className="text-2xl font-bold">{form.data?.name ?? t`Report a problem`}</h1>
          {form.data && (
            <p className="text-soft">
              <span className="font-mono">{form.data.machine}</span> {form.data.line}
            </p>
          )}
        </div>
        <Select
          quiet
          label={t`Language`}
          value={chosen}
          onChange={(event) => void setLanguage(event.target.value as Language)}
        >
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </Select>
      </header>
      <Pending of={form} />
      {form.data && !sent && (
        <Form token={token} form={form.data} onTicket={(ticket, photo) => setSent({ ticket, photo })} />
      )}
      {sent && <Thanks {...sent} onAgain={() => setSent(null)} />}
    </main>
  );
}

function Form(props: { token: string; form: ReportForm; onTicket: (ticket: Ticket, photo: File | null) => void }) {
  const { t } = useLingui();
  const [symptom, setSymptom] = useState<ReportForm["symptoms"][number] | null>(null);
  const [isDown, setDown] = useState(false);
  const [words, setWords] = useState("");
  const [name, setName] = useState("");
  const [photo, setPhoto] = useState<File | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [id, setId] = useState(newRequestId); // a second tap, or a lost answer, makes no second ticket
  async function send() {
    setBusy(true);
    setProblem(null);
    try {
      const ticket = await rpc<Ticket>("report_problem", {
        p_token: props.token,
        p_symptom: symptom?.code,
        p_description: words.trim() || null,
        p_is_down: isDown,
        p_reporter: name.trim() || null,
        p_photo_type: photo ? "image/jpeg" : null,
        p_request_id: id,
      });
      props.onTicket(ticket, photo);
    } catch (error) {
      setProblem(explain(error));
    }
    setBusy(false);
  }
  return (
    <>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-2 text-xl font-semibold">{t`What is wrong?`}</legend>
        <div className="grid grid-cols-2 gap-2">
          {props.form.symptoms.map((one) => (
            <Button
              key={one.code}
              look={one.code === symptom?.code ? "primary" : "plain"}
              aria-pressed={one.code === symptom?.code}
              className="min-h-16 flex-col"
              onClick={() => {
                setSymptom(one);
                setDown(one.is_down);
                setId(newRequestId());
              }}
            >
              {symptomName(one.code, one.title)}
              {one.is_open && (
                <Badge tone="warn">
                  <Trans>reported already</Trans>
                </Badge>
              )}
            </Button>
          ))}
        </div>
      </fieldset>
      {symptom && (
        <>
          <Switch
            label={t`The machine cannot run`}
            checked={isDown}
            onChange={(event) => setDown(event.target.checked)}
          />
          <PhotoChoice photo={photo} onChange={setPhoto} />
          <TextArea
            label={t`More about it, if you like`}
            maxLength={1000}
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <Input
            label={t`Your name, if you like`}
            maxLength={100}
            autoComplete="name"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </>
      )}
      {problem && (
        <p role="alert" className="rounded-lg bg-bad-bg p-3 font-medium text-bad">
          {problem}
        </p>
      )}
      <div className="sticky bottom-0 bg-bg py-2">
        <Button
          look="primary"
          className="min-h-16 w-full text-lg"
          disabled={!symptom || busy}
          onClick={() => void send()}
        >
          {busy ? <Trans>Sending …</Trans> : <Trans>Report it</Trans>}
        </Button>
      </div>
    </>
  );
}

/** The ticket, and the photo that belongs to it. */
function Thanks(props: { ticket: Ticket; photo: File | null; onAgain: () => void }) {
  const { t } = useLingui();
  const { ticket, photo } = props;
  return (
    <section className="flex flex-col gap-4" aria-live="polite">
      <div className="flex items-start gap-3 rounded-2xl border-2 border-ok bg-ok-bg p-4 text-ok">
        <CircleCheck aria-hidden className="size-10 shrink-0" />
        <div>
          <h2 className="text-2xl font-bold">{t`Reported: ticket ${ticket.repair_id}`}</h2>
          <p className="text-ink">
            {ticket.is_new
              ? t`The maintenance knows. Thank you.`
              : t`Somebody reported it before; now it was reported ${ticket.reports} times. Thank you.`}
          </p>
        </div>
      </div>
      {ticket.photo_path && photo && <PhotoOf path={ticket.photo_path} file={photo} />}
      <p className="flex items-start gap-2 text-soft">
        <CircleStop aria-hidden className="size-6 shrink-0" />
        <Trans>If it is dangerous, stop the machine and tell somebody at once.</Trans>
      </p>
      <Button onClick={props.onAgain}>
        <Trans>Report something else</Trans>
      </Button>
    </section>
  );
}

/** A photo that is chosen now and sent once there is a ticket, so that the ticket waits for nothing. */
function PhotoChoice({ photo, onChange }: { photo: File | null; onChange: (photo: File | null) => void }) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <label
        className="inline-flex min-h-12 flex-1 cursor-pointer items-center justify-center gap-2 rounded-lg border border-edge bg-panel
          px-4 hover:bg-sunk focus-within:outline-2"
      >
        <Camera aria-hidden className="size-5" />
        {photo ? <Trans>A photo goes with it. Take another one</Trans> : <Trans>Take a photo</Trans>}
        <input
          type="file"
          accept="image/*"
          capture="environment"
          className="sr-only"
          onChange={(event) => onChange(event.target.files?.[0] ?? null)}
        />
      </label>
      {photo && (
        <Button look="quiet" onClick={() => onChange(null)}>
          <Trans>Without a photo</Trans>
        </Button>
      )}
    </div>
  );
}

function PhotoOf({ path, file }: { path: string; file: File }) {
  const photo = usePhotoTo(async () => ({ bucket: "maintenance", path }));
  const { take } = photo;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is sent once; sending again is its own button
  useEffect(() => take(file), [file]);
  return (
    <div className="flex flex-col gap-2 rounded-2xl border border-line bg-panel p-4">
      <h3 className="flex items-center gap-2 text-lg font-semibold">
        <Camera aria-hidden /> <Trans>Your photo</Trans>
      </h3>
      <PhotoInput photo={photo} />
    </div>
  );
}
