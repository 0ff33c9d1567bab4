import { useSyncExternalStore } from "react";

/** A value that components can follow. `set` takes the new value or a function of the old one. */
export interface Store<T> {
  get(): T;
  set(next: T | ((old: T) => T)): void;
  subscribe(listener: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      const fresh = typeof next === "function" ? (next as (old: T) => T)(value) : next;
      if (Object.is(fresh, value)) return;
      value = fresh;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}

/** A store that this browser remembers under `key`. What cannot be read counts as never set. */
export function rememberedStore<T>(key: string, initial: T): Store<T> {
  let kept: T = initial;
  try {
    const text = localStorage.getItem(key);
    if (text !== null) kept = JSON.parse(text) as T;
  } catch {
    // A full or forbidden storage only means that nothing is remembered.
  }
  const store = createStore(kept);
  store.subscribe(() => {
    try {
      localStorage.setItem(key, JSON.stringify(store.get()));
    } catch {
      // See above.
    }
  });
  return store;
}
