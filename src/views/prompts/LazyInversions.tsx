import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./TextualInversions.tsx');

/** Lists the textual inversions; its code is loaded with the first of them. */
export function LazyInversions() {
  const hasSome = useFacts((s) => s.embeddings.length > 0);
  const { part, standIn } = usePart(hasSome, load, null);
  if (!hasSome) return null;
  return part ? <part.TextualInversions /> : standIn;
}
