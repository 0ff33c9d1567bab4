import { Trans, useLingui } from "@lingui/react/macro";
import { FileText } from "lucide-react";
import { useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Photo, PhotoInput, usePhoto } from "@/ui/photo";
import { maintain } from "./act";
import type { Attachment, RepairDetail } from "./types";

/** Photos and papers of a repair. */
export function RepairFiles({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const there = of.attachments.filter((one) => one.is_there);
  return (
    <Panel title={t`Photos and papers`}>
      {there.length === 0 && (
        <p className="mb-2 text-soft">
          <Trans>None so far.</Trans>
        </p>
      )}
      <ul className="grid gap-3 sm:grid-cols-2">
        {there.map((one) => (
          <File key={one.id} file={one} />
        ))}
      </ul>
      {may(who, "maintenance.report") && <AddPhoto of={of} />}
    </Panel>
  );
}

function File({ file }: { file: Attachment }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const from = file.uploaded_by ?? t`by the QR code`;
  const caption = `${from}, ${formatInstant(file.created_at, zone)}`;
  return (
    <li>
      {file.mime_type === "application/pdf" ? (
        <p className="flex items-center gap-2">
          <FileText aria-hidden /> {file.name ?? t`A paper`}
        </p>
      ) : (
        <Photo path={file.path} bucket={file.bucket} alt={t`Photo, ${caption}`} />
      )}
      <p className="text-sm text-soft">{caption}</p>
    </li>
  );
}

function AddPhoto({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const photo = usePhoto("repair", of.repair.site);
  const keep = async () => {
    const given = { p_id: of.repair.id, p_photo: photo.path };
    const done = await maintain("add_repair_photo", given, () => t`The photo is kept.`);
    if (done) photo.drop();
  };
  return (
    <div className="mt-3 flex flex-col gap-2 border-t border-line pt-3">
      <PhotoInput photo={photo} />
      {photo.path && (
        <Button look="primary" onClick={() => void keep()}>
          <Trans>Keep this photo</Trans>
        </Button>
      )}
    </div>
  );
}
