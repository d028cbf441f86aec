import { exportedCount, exportedPasses } from '../../state/exporting.ts';
import { useFacts } from '../page/useFacts.ts';
import { useNeeded } from '../page/useNeeded.ts';

/**
 * Makes the page encode everything that an export needs while the component is mounted, under the name `by`. Returns
 * the progress.
 */
export function useEncoded(by: string): { readonly done: number; readonly total: number } {
  const passes = useFacts(exportedPasses);
  const done = useFacts(exportedCount);
  useNeeded(by, passes);
  return { done, total: passes.length };
}
