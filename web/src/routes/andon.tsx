import { useLive } from "@/features/core/shell";
import { AndonWall } from "@/features/machines/wall";

export function AndonRoute() {
  useLive();
  return <AndonWall />;
}
