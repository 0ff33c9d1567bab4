import { useQuery } from "@tanstack/react-query";
import { rows, rpc } from "@/lib/rpc";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { db } from "@/lib/supabase";
import type { Device, Site, Staff, Station, Store } from "@/lib/types";

interface Plant {
  sites: Site[];
  stores: Store[];
  stations: Station[];
}

async function readPlant(): Promise<Plant> {
  const [sites, stores, stations] = await Promise.all([
    rows<Site[]>(db().from("sites").select("*").order("code")),
    rows<Store[]>(db().from("stores").select("*").eq("is_active", true).order("code")),
    rows<Station[]>(db().from("stations").select("*").eq("is_active", true).order("code")),
  ]);
  return { sites, stores, stations };
}

/** The plant: sites, the stores the signed-in person works in, stations. */
export function usePlant() {
  const { who } = useStore(session);
  return useQuery({
    queryKey: ["plant"],
    queryFn: readPlant,
    staleTime: 10 * 60_000,
    select: (plant) => ({ ...plant, stores: plant.stores.filter((store) => who?.stores.includes(store.code)) }),
  });
}

/** The time zone of a store's plant; of the first plant without a store. */
export function useZone(store?: string | null): string {
  const { data } = usePlant();
  const site = data?.stores.find((one) => one.code === store)?.site;
  return (data?.sites.find((one) => one.code === site) ?? data?.sites[0])?.time_zone ?? "UTC";
}

/** The name of a store by its code; the code where the person does not work there. */
export function useStoreName(): (code: string) => string {
  const { data } = usePlant();
  return (code) => data?.stores.find((one) => one.code === code)?.name ?? code;
}

/** Everybody on the staff, by name. */
export function useStaff() {
  return useQuery({ queryKey: ["staff"], queryFn: () => rpc<Staff[]>("list_staff"), staleTime: 5 * 60_000 });
}

/** Who may identify at this station: all that a locked one knows of people. */
export function useStationPeople() {
  return useQuery({
    queryKey: ["station-people"],
    queryFn: () => rpc<Pick<Staff, "user_id" | "full_name">[]>("list_station_people"),
    staleTime: 5 * 60_000,
  });
}

export function useStaffName(): (id: string | null) => string | null {
  const { data } = useStaff();
  return (id) => (id ? (data?.find((one) => one.user_id === id)?.full_name ?? "…") : null);
}

export function useDevices() {
  return useQuery({ queryKey: ["devices"], queryFn: () => rpc<Device[]>("list_devices") });
}

interface Rights {
  roles: { role: string; title: string; audience: string; rank: number }[];
  permissions: { permission: string; description: string }[];
  granted: { role: string; permission: string }[];
}

export function useRights() {
  return useQuery({
    queryKey: ["rights"],
    queryFn: async (): Promise<Rights> => {
      const [roles, permissions, granted] = await Promise.all([
        rows<Rights["roles"]>(db().from("roles").select("*").order("rank")),
        rows<Rights["permissions"]>(db().from("permissions").select("*").order("permission")),
        rows<Rights["granted"]>(db().from("role_permissions").select("*")),
      ]);
      return { roles, permissions, granted };
    },
  });
}
