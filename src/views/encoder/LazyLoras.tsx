import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Loras.tsx');

/** Lists the open LoRAs; its code is loaded with the first of them. */
export function LazyLoras() {
  const hasSome = useFacts((s) => s.loras.size > 0);
  const { part, standIn } = usePart(hasSome, load, null);
  if (!hasSome) return null;
  return part ? <part.Loras /> : standIn;
}
