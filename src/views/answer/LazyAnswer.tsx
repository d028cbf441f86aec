import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Answer.tsx');

/** Shows the answer, loaded after the first paint. */
export function LazyAnswer() {
  const { part, standIn } = usePart(true, load);
  return part ? (
    <part.Answer />
  ) : (
    <section className="panel" id="answer" aria-labelledby="answer-title">
      <h2 id="answer-title">Answer</h2>
      {standIn}
    </section>
  );
}
