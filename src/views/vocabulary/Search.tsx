import { useDeferredValue, useMemo, useState } from 'react';
import { shownWord } from '../../state/shownWord.ts';
import { wordEnd } from '../../tokens/bytePairs.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { createVocabularySearch, listedIds } from '../../tokens/vocabularySearch.ts';
import { whole } from '../page/numbers.ts';
import { moveFocus } from '../page/roving.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './vocabulary.module.css';

/** Most entries that are listed at once. */
const most = 100;

/** Finds entries of the vocabulary by text, and the text of ids. */
export function Search({ tokenizer }: { tokenizer: Tokenizer }) {
  const word = useFacts(shownWord);
  const show = useFacts((s) => s.show);
  /** Null until something is typed: the entries are then those of the word whose merges are shown. */
  const [typed, setTyped] = useState<string | null>(null);
  const query = typed ?? word;
  const deferred = useDeferredValue(query);
  const search = useMemo(() => createVocabularySearch(tokenizer), [tokenizer]);
  const listed = useMemo(() => listedIds(deferred), [deferred]);
  const found = useMemo(() => search(deferred, most), [search, deferred]);
  const known = listed?.filter((id) => id < tokenizer.vocabSize) ?? [];
  const unknown = listed?.filter((id) => id >= tokenizer.vocabSize) ?? [];
  // The list stays as it is when one of its entries is chosen.
  const choose = (text: string) => {
    setTyped(query);
    show({ word: text });
  };
  const count = found.total === 1 ? '1 entry' : `${whole(found.total)} entries`;

  return (
    <section aria-labelledby="search-title">
      <h3 id="search-title">Entries and ids</h3>
      <input
        type="search"
        aria-label="Text or ids"
        placeholder="cat, ing</w> or 320 1125 539"
        spellCheck={false}
        value={query}
        onChange={(event) => setTyped(event.target.value)}
      />
      <div role="status" aria-label="Found">
        {listed && known.length > 0 && (
          <p className={styles.decoded}>
            {known.length === 1 ? 'Id' : `${known.length} ids`}: <q>{tokenizer.decode(known).trimEnd()}</q>
          </p>
        )}
        {unknown.length > 0 && (
          <p className="muted">
            Ids run from 0 to {tokenizer.vocabSize - 1}: no {unknown.join(', ')}.
          </p>
        )}
        {(!listed || found.total > 0) && (
          <p className="muted">
            {count}
            {deferred.trim() !== '' && (listed ? ` with the text “${deferred.trim()}”` : ' with this text')}
            {found.total > most && `, the first ${most} below`}
          </p>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that it can be scrolled by keyboard. */}
      <section className={styles.entries} aria-label="Entries" tabIndex={0}>
        <table aria-label="Vocabulary entries">
          <thead>
            <tr>
              <th scope="col" className={styles.number}>
                Id
              </th>
              <th scope="col">Entry</th>
              <th scope="col">Text</th>
            </tr>
          </thead>
          <tbody onKeyDown={(event) => moveFocus(event, 'button')}>
            {[...(listed ? known : []), ...found.ids].slice(0, most).map((id, i) => (
              <EntryRow key={`${i} ${id}`} id={id} isFirst={i === 0} tokenizer={tokenizer} onChoose={choose} />
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

interface EntryRowProps {
  readonly id: number;
  readonly isFirst: boolean;
  readonly tokenizer: Tokenizer;
  onChoose(text: string): void;
}

function EntryRow({ id, isFirst, tokenizer, onChoose }: EntryRowProps) {
  const entry = tokenizer.entry(id);
  const text = tokenizer.decode([id]).trim();
  const isSpecial = /^<\|.*\|>$/.test(text);
  const isWhole = text !== '' && !text.includes('\ufffd') && !isSpecial;
  return (
    <tr>
      <td className={styles.number}>{id}</td>
      <td className="mono">
        {entry.replace(wordEnd, '')}
        {entry.endsWith(wordEnd) && <span className={styles.wordEnd}>{wordEnd}</span>}
      </td>
      <td>
        {isWhole ? (
          <button
            type="button"
            className="quiet small"
            tabIndex={isFirst ? 0 : -1}
            title={`Show the merges of “${text}”`}
            onClick={() => onChoose(text)}
          >
            {text}
          </button>
        ) : (
          <span className="muted">
            {isSpecial ? 'no text: a mark of its own' : text === '' ? 'no text' : 'part of a character'}
          </span>
        )}
      </td>
    </tr>
  );
}
