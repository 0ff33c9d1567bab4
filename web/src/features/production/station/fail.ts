import { createStore } from "@/lib/store";

/** The family of reasons that is open; "?" while the family itself is asked for, null when nothing is. */
export const failing = createStore<string | null>(null);
