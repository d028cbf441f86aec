import { useFacts } from '../page/useFacts.ts';
import { Merges } from './Merges.tsx';
import { Search } from './Search.tsx';
import './vocabulary.css';

/** Searches the tokenizer's vocabulary, and shows how a word is merged into tokens. */
export function Vocabulary() {
  const tokenizer = useFacts((s) => s.tokenizer);
  return (
    <section className="panel" id="vocabulary" aria-labelledby="vocabulary-title">
      <h2 id="vocabulary-title">Vocabulary</h2>
      {tokenizer.phase === 'ready' ? (
        <div className="vocabulary">
          <Search tokenizer={tokenizer.tokenizer} />
          <Merges tokenizer={tokenizer.tokenizer} />
        </div>
      ) : (
        <p className="muted">
          {tokenizer.phase === 'failed' ? 'This needs the tokenizer’s vocabulary.' : 'Loading the vocabulary'}
        </p>
      )}
    </section>
  );
}
