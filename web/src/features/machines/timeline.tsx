import { Trans, useLingui } from "@lingui/react/macro";
import { useSiteZone } from "@/features/production/queries";
import { formatSpan, formatTime } from "@/lib/time";
import { Key } from "@/ui/charts/key";
import { Strip } from "@/ui/charts/strip";
import { AsTable, DataRow, DataTable } from "@/ui/charts/table";
import { Empty } from "@/ui/states";
import type { Piece } from "./types";
import { lookName, lookOf, lossName } from "./words";

const nameOf = (piece: Piece) => {
  const look = lookOf(piece);
  return piece.kind === "stop" || piece.kind === "planned" ? lossName(piece as never) : lookName(look);
};

/** What a machine did, from left to right, until now. `until`: the end of the time that is shown, later than now or not. */
export function Timeline({ pieces, until }: { pieces: Piece[]; until?: string | null }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (!first || !last) return <Empty>{t`Nothing has happened yet.`}</Empty>;
  const end = Date.parse(last.ends_at);
  const to = until ? Math.max(Date.parse(until), end) : end;
  const looks = [...new Set(pieces.map(lookOf))];
  const longest = pieces.filter((one) => one.kind === "stop");
  return (
    <>
      <Strip
        label={t`What it did, from ${formatTime(first.starts_at, zone)} to ${formatTime(last.ends_at, zone)}. Stops: ${longest.length}. The table says each.`}
        from={Date.parse(first.starts_at)}
        to={to}
        now={end}
        clock={(at) => formatTime(at, zone)}
        stretches={pieces.map((one) => ({
          from: Date.parse(one.starts_at),
          to: Date.parse(one.ends_at),
          look: lookOf(one),
          name: nameOf(one),
        }))}
      />
      <Key looks={looks.map((look) => ({ look, name: lookName(look) }))} />
      <AsTable title={<Trans>As a table</Trans>}>
        <DataTable label={t`What it did`} heads={[t`From`, t`What`, t`Time`]} className="max-h-96 overflow-y-auto">
          {[...pieces].reverse().map((one) => (
            <DataRow
              key={one.starts_at}
              name={formatTime(one.starts_at, zone)}
              cells={[nameOf(one), formatSpan((Date.parse(one.ends_at) - Date.parse(one.starts_at)) / 1000)]}
            />
          ))}
        </DataTable>
      </AsTable>
    </>
  );
}
