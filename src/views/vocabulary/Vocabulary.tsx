import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Merges } from './Merges.tsx';
import { Search } from './Search.tsx';
import styles from './vocabulary.module.css';

const lead = (
  <>
    All 49,408 <dfn>tokens</dfn> there are, the same for every prompt. A word is put together by{' '}
    <dfn>byte pair encoding</dfn> (BPE): it begins as single bytes, and of all pairs side by side the one that stands
    first in a fixed list of 48,894 merges becomes one, again and again, until no pair is in the list.
  </>
);

/** Searches the tokenizer's vocabulary, and shows how a word is merged into tokens. */
export function Vocabulary() {
  const tokenizer = useFacts((s) => s.tokenizer);
  return (
    <section className="panel" id="vocabulary" aria-labelledby="vocabulary-title">
      <ViewHeader view="vocabulary" lead={lead} />
      {tokenizer.phase === 'ready' ? (
        <div className={styles.vocabulary}>
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
