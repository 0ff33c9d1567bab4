import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { rpc } from "@/lib/rpc";
import type {
  LabelField,
  LabelTemplate,
  LabelTemplateRow,
  PrintAlarm,
  PrinterCard,
  PrintJob,
  PrintJobEvent,
  PrintPage,
  StationPrinting,
} from "./types";

export function useTemplates() {
  return useQuery({ queryKey: ["label-templates"], queryFn: () => rpc<LabelTemplateRow[]>("list_label_templates") });
}

export function useTemplate(code: string) {
  return useQuery({
    queryKey: ["label-template", code],
    queryFn: () => rpc<LabelTemplate>("get_label_template", { p_code: code }),
    enabled: code !== "new",
  });
}

/** What a printer would be sent for these fields; refused with a sentence when they do not fit. */
export function usePreview(shape: { fields: LabelField[]; width: number; height: number; dpi: number }, data: object) {
  return useQuery({
    queryKey: ["label-preview", shape, data],
    queryFn: () =>
      rpc<string>("preview_label", {
        p_fields: shape.fields,
        p_width_mm: shape.width,
        p_height_mm: shape.height,
        p_dpi: shape.dpi,
        p_data: data,
      }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
  });
}

// What is seen at the printer itself (paper, cover) has a heartbeat but no event for every second.
const LOOK_AGAIN_MS = 15_000;

export function usePrinters() {
  return useQuery({
    queryKey: ["printers"],
    queryFn: () => rpc<PrinterCard[]>("get_printers_board"),
    refetchInterval: LOOK_AGAIN_MS,
  });
}

/** Whether the demo's virtual printers are there, whose paper can be looked at. */
export function useVirtualPaper() {
  return useQuery({
    queryKey: ["virtual-paper"],
    queryFn: async () => {
      const answer = await fetch("/simulator/printers", { headers: { accept: "application/json" } });
      return answer.ok && (answer.headers.get("content-type") ?? "").includes("json");
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

export function usePrintAlarms(enabled = true) {
  return useQuery({
    queryKey: ["print-alarms"],
    queryFn: () => rpc<PrintAlarm[]>("get_print_alarms"),
    refetchInterval: LOOK_AGAIN_MS,
    enabled,
  });
}

export interface JobFilter {
  state?: string | undefined;
  printer?: string | undefined;
  subject?: string | undefined;
}

export function usePrintJobs(filter: JobFilter) {
  return useInfiniteQuery({
    queryKey: ["print-jobs", filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      rpc<PrintPage>("get_print_jobs", {
        p_state: filter.state ?? null,
        p_printer: filter.printer ?? null,
        p_subject: filter.subject ?? null,
        p_limit: 50,
        p_cursor: pageParam,
      }),
    getNextPageParam: (page) => page.next_cursor,
    select: (data) => data.pages.flatMap((page) => page.jobs ?? []),
  });
}

export interface JobDetail {
  job: PrintJob & { payload: string | null };
  printer_name: string;
  template: string;
  version: number;
  width_mm: number;
  height_mm: number;
  requested_by_name: string | null;
  reprints: { id: number; state: string; reason: string; print_no: number }[];
  labels: { seq: number; subject: string; print_no: number; state: string }[];
  events: (PrintJobEvent & { actor_name: string | null })[];
}

export function usePrintJob(id: number) {
  return useQuery({ queryKey: ["print-job", id], queryFn: () => rpc<JobDetail>("get_print_job", { p_job_id: id }) });
}

/** What this station prints with, per kind of label; without a station, the only site one works at. */
export function useStationPrinting(station: string | null) {
  return useQuery({
    queryKey: ["station-printing", station],
    queryFn: () => rpc<StationPrinting[]>("get_station_printing", { p_station: station }),
    retry: false,
  });
}
