import { createContext, use } from 'react';
import { useStore } from 'zustand';
import type { Lab, LabActions, LabFacts } from '../../state/lab/labStore.ts';

export const LabContext = createContext<Lab | null>(null);

/** Returns what `select` finds in the lab. It must return the same object for the same facts. */
export function useLab<T>(select: (lab: LabFacts & LabActions) => T): T {
  const lab = use(LabContext);
  if (!lab) throw new Error('useLab is used outside LabContext.');
  return useStore(lab, select);
}
