import { Trans, useLingui } from "@lingui/react/macro";
import { Printer } from "lucide-react";
import { type FormEvent, useState } from "react";
import { station } from "@/features/workflows/scan/state";
import { explain } from "@/lib/messages";
import { useStore } from "@/lib/store";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { Loading } from "@/ui/states";
import { print } from "./act";
import { useStationPrinting } from "./queries";
import { typeName } from "./words";

/** Prints a label of an order: the station's printer and template are chosen already, one button is enough. */
export function PrintDialog({ subject, onClose }: { subject: string; onClose: () => void }) {
  const { t } = useLingui();
  const here = useStore(station);
  const printing = useStationPrinting(here);
  const [type, setType] = useState("order_ticket");
  const chosen = printing.data?.find((one) => one.label_type === type) ?? printing.data?.[0];

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = {
      p_label_type: chosen?.label_type,
      p_subject: subject,
      p_copies: Number(form.get("copies")),
      p_station: here,
      p_printer: String(form.get("printer") ?? "") || null,
      p_template: String(form.get("template") ?? "") || null,
    };
    if (await print("request_print", given)) onClose();
  }

  return (
    <Dialog open onClose={onClose} title={t`Print a label of ${subject}`}>
      {printing.isPending && <Loading />}
      {printing.error && <p className="font-medium text-bad">{explain(printing.error)}</p>}
      {printing.data?.length === 0 && (
        <p className="text-soft">
          <Trans>No printer is set up for labels here. A planner adds one on the Labels page.</Trans>
        </p>
      )}
      {chosen && (
        <form onSubmit={send} key={chosen.label_type} className="flex flex-col gap-3">
          <Select label={t`Label`} value={chosen.label_type} onChange={(event) => setType(event.target.value)}>
            {printing.data?.map((one) => (
              <option key={one.label_type} value={one.label_type}>
                {typeName(one.label_type)}
              </option>
            ))}
          </Select>
          <Select label={t`Printer`} name="printer" defaultValue="">
            <option value="">{t`${chosen.printer_name} (this station's)`}</option>
            {chosen.printers
              .filter((one) => one.code !== chosen.printer)
              .map((one) => (
                <option key={one.code} value={one.code}>
                  {one.name}
                </option>
              ))}
          </Select>
          <Badge tone={["ready", "printing"].includes(chosen.state) ? "ok" : "warn"}>{chosen.message}</Badge>
          {(chosen.templates?.length ?? 0) > 1 && (
            <Select label={t`Template`} name="template" defaultValue="">
              <option value="">{chosen.template_name}</option>
              {chosen.templates
                ?.filter((one) => one.code !== chosen.template)
                .map((one) => (
                  <option key={one.code} value={one.code}>
                    {one.name}
                  </option>
                ))}
            </Select>
          )}
          <Input label={t`Copies`} name="copies" type="number" min={1} max={500} defaultValue={1} required />
          <Button look="primary" type="submit" className="min-h-14 text-lg">
            <Printer aria-hidden /> <Trans>Print</Trans>
          </Button>
        </form>
      )}
    </Dialog>
  );
}
