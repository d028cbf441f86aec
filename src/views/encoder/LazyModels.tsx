import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Models.tsx');

/** Manages the stored models; its code is loaded when it is opened. */
export function LazyModels() {
  const { part, standIn } = usePart(true, load, null);
  return (
    <section id="models" aria-label="Models">
      {part ? <part.Models /> : standIn}
    </section>
  );
}
