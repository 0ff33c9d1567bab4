import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { OutboxStorage, Waiting } from "./waiting";

interface Schema extends DBSchema {
  outbox: { key: string; value: Waiting };
  cache: { key: string; value: unknown };
}

let opened: Promise<IDBPDatabase<Schema>> | undefined;

function open(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>("takt", 1, {
    upgrade(database) {
      database.createObjectStore("outbox", { keyPath: "id" });
      database.createObjectStore("cache");
    },
  });
  return opened;
}

export const indexedStorage: OutboxStorage = {
  all: async () => (await open()).getAll("outbox"),
  put: async (entry) => {
    await (await open()).put("outbox", entry, undefined);
  },
  remove: async (id) => (await open()).delete("outbox", id),
};

export async function keep(key: string, value: unknown): Promise<void> {
  await (await open()).put("cache", value, key);
}

export async function kept(key: string): Promise<unknown> {
  return (await open()).get("cache", key);
}

export async function forgetCache(): Promise<void> {
  await (await open()).clear("cache");
}
