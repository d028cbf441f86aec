import { createContext, use, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import type { Facts } from '../../state/facts.ts';
import type { Actions, ClipscopeStore } from '../../state/store.ts';

export const StoreContext = createContext<ClipscopeStore | null>(null);

/** Returns the facts that `select` finds in the store. It must return the same object for the same facts. */
export function useFacts<T>(select: (state: Facts & Actions) => T): T {
  const store = use(StoreContext);
  if (!store) throw new Error('useFacts is used outside StoreContext.');
  return useStore(store, select);
}

const darkQuery = matchMedia('(prefers-color-scheme: dark)');

function subscribeToDark(onChange: () => void) {
  darkQuery.addEventListener('change', onChange);
  return () => darkQuery.removeEventListener('change', onChange);
}

/** Whether the page is dark: the person's choice, or the system's. */
export function useDark(): boolean {
  const theme = useFacts((s) => s.theme);
  const system = useSyncExternalStore(subscribeToDark, () => darkQuery.matches);
  return theme === 'system' ? system : theme === 'dark';
}
