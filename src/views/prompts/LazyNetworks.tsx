import type { NetworkNode } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Networks.tsx');

/** Lists the LoRAs and embeddings that a prompt names; its code is loaded with the first of them. */
export function LazyNetworks(props: { readonly side: Side; readonly networks: readonly NetworkNode[] }) {
  const { part, standIn } = usePart(true, load, null);
  return part ? <part.Networks {...props} /> : standIn;
}
