import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Printer } from "lucide-react";
import { queries } from "@/lib/query";
import { rpc } from "@/lib/rpc";
import { Button } from "@/ui/button";
import { QrCode } from "@/ui/codes";
import { Dialog } from "@/ui/dialog";
import { Pending } from "@/ui/states";
import { maintain } from "./act";

interface MachineQr {
  machine: string;
  name: string;
  path: string;
}

/** The code to be stuck on a machine: whoever scans it reports a problem, without an account. */
export function QrDialog({ machine, name, onClose }: { machine: string; name: string; onClose: () => void }) {
  const { t } = useLingui();
  const key = ["machine-qr", machine];
  const code = useQuery({
    queryKey: key,
    queryFn: () => rpc<MachineQr>("get_machine_qr", { p_machine: machine }),
    gcTime: 0,
  });
  const address = code.data && location.origin + code.data.path;
  const renew = async () => {
    const done = await maintain(
      "renew_machine_qr",
      { p_machine: machine } as never,
      () => t`The old code opens nothing any more.`,
    );
    if (done) await queries.invalidateQueries({ queryKey: key });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`QR code of ${name}`}
      note={t`Print it and stick it on the machine. Whoever scans it reports a problem, without an account.`}
    >
      <Pending of={code} />
      {address && (
        <div className="print-alone flex flex-col items-center gap-2 bg-white p-4 text-black">
          <p className="text-2xl font-bold">{name}</p>
          <QrCode text={address} label={t`QR code of ${name}`} className="size-64" />
          <p className="text-lg">
            <Trans>Something wrong? Scan here.</Trans>
          </p>
          <p className="font-mono text-xs break-all">{address}</p>
        </div>
      )}
      <div className="mt-3 flex flex-wrap gap-2">
        <Button look="primary" onClick={() => window.print()}>
          <Printer aria-hidden /> <Trans>Print</Trans>
        </Button>
        <Button look="danger" onClick={() => void renew()}>
          <Trans>Make a new code</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
