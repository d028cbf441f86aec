import { type ComponentType, useEffect, useRef, useState } from 'react';
import type { Tokenizer } from '../clip/tokenizer.ts';
import { useFacts } from './useFacts.ts';

type Panel = ComponentType<{ readonly tokenizer: Tokenizer }>;

/** The vocabulary's panel, loaded when it comes into sight. */
export function LazyVocabulary() {
  const tokenizer = useFacts((s) => s.tokenizer);
  const section = useRef<HTMLElement>(null);
  const [isNear, setIsNear] = useState(false);
  const [panel, setPanel] = useState<{ readonly Panel: Panel } | 'failed' | null>(null);

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
  useEffect(() => {
    if (!isNear || panel) return;
    import('./vocabulary/Vocabulary.tsx').then(
      ({ Vocabulary }) => setPanel({ Panel: Vocabulary }),
      () => setPanel('failed'),
    );
  }, [isNear, panel]);

  return (
    <section className="panel" id="vocabulary" aria-labelledby="vocabulary-title" tabIndex={-1} ref={section}>
      <h2 id="vocabulary-title">Vocabulary</h2>
      {panel === 'failed' ? (
        <div className="notice" data-severity="error" role="alert">
          <span>This part of the page could not be loaded.</span>
          <button type="button" onClick={() => setPanel(null)}>
            Try again
          </button>
        </div>
      ) : panel && tokenizer.phase === 'ready' ? (
        <panel.Panel tokenizer={tokenizer.tokenizer} />
      ) : (
        <p className="muted unloaded">
          {tokenizer.phase === 'failed' ? 'This needs the tokenizer’s vocabulary.' : 'Loading the vocabulary'}
        </p>
      )}
    </section>
  );
}
