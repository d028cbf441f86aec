import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Weights.tsx');

/** Shows the weights, loaded after the first paint. */
export function LazyWeights() {
  const { part, standIn } = usePart(true, load);
  return part ? (
    <part.Weights />
  ) : (
    <section className="panel" id="weights" aria-labelledby="weights-title">
      <h2 id="weights-title">Weights</h2>
      {standIn}
    </section>
  );
}
