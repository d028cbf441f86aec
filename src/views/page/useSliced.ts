import { useEffect, useMemo, useState } from 'react';
import { type Slices, whole } from '../../prompt/slices.ts';
import { inSlices } from '../../state/inSlices.ts';
import { useLast } from './useLast.ts';

/** Work that has ended, in a result or in an error. */
interface Ended<T> {
  readonly work: () => Slices<T>;
  readonly value?: T;
  readonly error?: unknown;
}

/**
 * Does work for a view: at once, or where it is long in slices, between which the page goes on. `work` has to be the same
 * function as long as its result is to be the same; null while there is nothing to do. Gives the last result there is, and
 * whether it is of other work than this. Throws the error that the work ended in.
 */
export function useSliced<T>(
  work: (() => Slices<T>) | null,
  isLong: boolean,
): { readonly value: T | undefined; readonly isStale: boolean } {
  const atOnce = useMemo<Ended<T> | null>(
    () => (work && !isLong ? { work, value: whole(work()) } : null),
    [work, isLong],
  );
  const [arrived, setArrived] = useState<Ended<T> | null>(null);
  const now = atOnce ?? (arrived?.work === work ? arrived : null);
  const isDone = now !== null;
  useEffect(() => {
    // A view that comes on show again has its result already.
    if (!work || isDone) return;
    return inSlices(
      work(),
      (value) => setArrived({ work, value }),
      (error) => setArrived({ work, error }),
    );
  }, [work, isDone]);
  const last = useLast(now ?? undefined);
  if (now && 'error' in now) throw now.error;
  return { value: last?.value, isStale: last?.work !== work };
}
