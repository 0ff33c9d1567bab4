import { useLive } from "@/features/core/shell";
import { MonitorPage } from "@/features/workflows/monitor";

export function MonitorRoute() {
  useLive();
  return <MonitorPage />;
}
