import { createStore } from "./store";

/** Who has identified at a shared station. The token lives in memory only: a reload locks the station. */
export interface Person {
  /** Goes into the header x-takt-person of every call; Postgres keeps only its hash. */
  token: string;
}

export const person = createStore<Person | null>(null);
