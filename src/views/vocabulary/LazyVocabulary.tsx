import { useEffect, useRef, useState } from 'react';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Vocabulary.tsx');

/** The vocabulary's panel, loaded when it becomes visible. */
export function LazyVocabulary() {
  const tokenizer = useFacts((s) => s.tokenizer);
  const section = useRef<HTMLElement>(null);
  const [isNear, setIsNear] = useState(false);

  useEffect(() => {
    if (!section.current) return;
    const observer = new IntersectionObserver(
      ([{ isIntersecting }]) => {
        if (isIntersecting) setIsNear(true);
      },
      { rootMargin: '300px' },
    );
    observer.observe(section.current);
    return () => observer.disconnect();
  }, []);
  const waiting = (
    <p className="muted unloaded">
      {tokenizer.phase === 'failed' ? 'This needs the tokenizer’s vocabulary.' : 'Loading the vocabulary'}
    </p>
  );
  const { part, standIn } = usePart(isNear, load, waiting);

  return (
    <section className="panel" id="vocabulary" aria-labelledby="vocabulary-title" tabIndex={-1} ref={section}>
      <h2 id="vocabulary-title">Vocabulary</h2>
      {!part ? standIn : tokenizer.phase === 'ready' ? <part.Vocabulary tokenizer={tokenizer.tokenizer} /> : waiting}
    </section>
  );
}
