import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Options.tsx');

/** Shows all options; its code is loaded when they are unfolded. */
export function LazyOptions() {
  const { part, standIn } = usePart(true, load);
  return part ? <part.Options /> : standIn;
}
