import { prepared } from '../../state/reading.ts';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Variants.tsx');

/** Shows the choices of ComfyUI's page in the prompt on show, once there is something to choose. */
export function LazyVariants() {
  const side = useFacts((s) => s.side);
  const dynamic = useFacts((s) => prepared(s, s.side)?.dynamic);
  const hasVariants = dynamic !== undefined && dynamic.open.variants > 1;
  const { part, standIn } = usePart(hasVariants, load);
  if (!hasVariants) return null;
  return part ? <part.Variants side={side} dynamic={dynamic} /> : standIn;
}
