import { useDeferredValue, useMemo } from 'react';
import { type Bench, type MethodsCompared, methodsWork, shownBench } from '../../state/methodBench.ts';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useSliced } from '../page/useSliced.ts';

/**
 * Compares the methods on the text on show. Typed text shows at once; the comparison may follow a frame later, or where the text is
 * long when it is computed. Gives the last there is with the bench that it is of, and whether that is another than the one on show.
 */
export function useCompared(): {
  readonly compared: (MethodsCompared & { readonly bench: Bench }) | undefined;
  readonly isStale: boolean;
} {
  const now = useFacts(shownBench);
  const bench = useDeferredValue(now);
  const work = bench ? methodsWork(bench) : null;
  const { value } = useSliced(work, work?.isLong ?? false);
  const arrived = useMemo(
    () => (bench && value?.text === bench.text && value.zOf === bench.zOf ? { ...value, bench } : undefined),
    [bench, value],
  );
  const compared = useLast(arrived);
  return { compared, isStale: now === undefined || compared?.bench !== now };
}
