import { Trans, useLingui } from "@lingui/react/macro";
import { lazy, Suspense, useState } from "react";
import { Button } from "@/ui/button";
import { Pending } from "@/ui/states";
import { usePrintJob } from "./queries";

const LabelPicture = lazy(() => import("./label-picture").then((module) => ({ default: module.LabelPicture })));

/** The label that came out last, as a picture, when somebody wants to see it. */
export function LastLabel({ job }: { job: number | null }) {
  const [open, setOpen] = useState(false);
  if (job === null) return null;
  if (open) return <JobPicture id={job} />;
  return (
    <Button look="plain" className="mt-2" onClick={() => setOpen(true)}>
      <Trans>Show the last label</Trans>
    </Button>
  );
}

/** The first label of a job as it was sent to the printer. */
export function JobPicture({ id }: { id: number }) {
  const { t } = useLingui();
  const detail = usePrintJob(id);
  if (!detail.data) return <Pending of={detail} />;
  const { job, width_mm, height_mm } = detail.data;
  if (!job.payload?.includes("^XA")) {
    return <p className="mt-2 text-sm text-soft">{t`There is no picture for this printer's language.`}</p>;
  }
  return (
    <Suspense fallback={null}>
      <LabelPicture
        className="mt-2 max-w-sm"
        zpl={job.payload}
        widthMm={width_mm}
        heightMm={height_mm}
        dpi={job.dpi}
        label={t`Label of ${job.subject}`}
      />
    </Suspense>
  );
}
