import { useQuery } from "@tanstack/react-query";
import { rows } from "@/lib/rpc";
import { db } from "@/lib/supabase";

export interface Break {
  title?: string;
  starts: string;
  ends: string;
}
/** A shift of a week, in wall time of the plant; weekdays 1 (Monday) to 7. */
export interface PatternShift {
  shift: string;
  title?: string;
  weekdays?: number[];
  starts: string;
  ends: string;
  breaks?: Break[];
}
interface Pattern {
  id: number;
  valid_from: string;
  shifts: PatternShift[];
}
export interface Exception {
  id: number;
  work_centre: string | null;
  from_day: string;
  to_day: string;
  shifts: PatternShift[] | null;
  reason: string;
}
export interface PlannedStop {
  id: number;
  machine: string;
  time_class: string;
  /** A range of instants, as Postgres writes it. */
  during: string;
  note: string | null;
}

/** The patterns of a work centre, the newest first. */
export function usePatterns(centre: string | undefined) {
  return useQuery({
    queryKey: ["shifts", "patterns", centre],
    queryFn: () =>
      rows<Pattern[]>(
        db()
          .from("shift_patterns")
          .select("id, valid_from, shifts")
          .eq("work_centre", centre ?? "")
          .order("valid_from", { ascending: false }),
      ),
    enabled: centre !== undefined,
  });
}

/** Days that are not as the pattern says, from today on, of the site and its work centres. */
export function useExceptions(site: string | null, today: string) {
  return useQuery({
    queryKey: ["shifts", "exceptions", site, today],
    queryFn: () =>
      rows<Exception[]>(
        db()
          .from("calendar_exceptions")
          .select("id, work_centre, from_day, to_day, shifts, reason")
          .eq("site", site ?? "")
          .eq("is_active", true)
          .gte("to_day", today)
          .order("from_day"),
      ),
    enabled: site !== null,
  });
}

/** Stops that somebody planned and that are not over yet; breaks belong to shifts and are not among them. */
export function usePlannedStops(site: string | null, now: string) {
  return useQuery({
    queryKey: ["shifts", "planned", site, now],
    queryFn: () =>
      rows<PlannedStop[]>(
        db()
          .from("planned_stops")
          .select("id, machine, time_class, during, note")
          .eq("site", site ?? "")
          .eq("is_active", true)
          .is("shift_id", null)
          .filter("during", "not.sl", `[${now},${now}]`)
          .order("during")
          .limit(200),
      ),
    enabled: site !== null,
  });
}

/** Both ends of a range as Postgres writes it, as instants; null for an end that is open. */
export function endsOf(range: string): [string | null, string | null] {
  const [from, to] = range
    .slice(1, -1)
    .split(",")
    .map((one) => one.replaceAll('"', "").trim() || null);
  // Postgres writes "+00", a Date wants "+00:00".
  const instant = (text: string | null | undefined) =>
    text ? new Date(text.replace(" ", "T").replace(/([+-]\d{2})$/, "$1:00")).toISOString() : null;
  return [instant(from), instant(to)];
}
