import { createContext, use } from 'react';
import { useStore } from 'zustand';
import type { Lab, LabActions, LabFacts } from '../../state/lab/labStore.ts';

export const LabContext = createContext<Lab | null>(null);

/** The lab itself, for what is read only when it is asked for. */
export function useLabStore(): Lab {
  const lab = use(LabContext);
  if (!lab) throw new Error('The lab is used outside LabContext.');
  return lab;
}

/** Returns what `select` finds in the lab. It must return the same object for the same facts. */
export function useLab<T>(select: (lab: LabFacts & LabActions) => T): T {
  return useStore(useLabStore(), select);
}
