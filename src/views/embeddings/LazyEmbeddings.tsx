import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Embeddings.tsx');

/** Shows the embeddings, loaded after the first paint. */
export function LazyEmbeddings() {
  const { part, standIn } = usePart(true, load);
  return part ? (
    <part.Embeddings />
  ) : (
    <section className="panel" id="embeddings" aria-labelledby="embeddings-title">
      <h2 id="embeddings-title">Embeddings</h2>
      {standIn}
    </section>
  );
}
