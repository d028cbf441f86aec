import { useEffect } from 'react';
import { exportedCount, exportedPasses } from '../../state/exporting.ts';
import { useFacts } from '../page/useFacts.ts';

/**
 * Makes the page encode everything that an export needs while the component is mounted, under the name `by`. Returns
 * the progress.
 */
export function useEncoded(by: string): { readonly done: number; readonly total: number } {
  const need = useFacts((s) => s.need);
  const passes = useFacts(exportedPasses);
  const done = useFacts(exportedCount);
  useEffect(() => need(by, passes), [need, by, passes]);
  useEffect(() => () => need(by, []), [need, by]);
  return { done, total: passes.length };
}
