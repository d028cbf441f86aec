import { useEffect, useMemo, useRef, useState } from 'react';
import { sourceText } from '../../prompt/sourceText.ts';
import { shownWord } from '../../state/shownWord.ts';
import { wordEnd } from '../../tokens/bytePairs.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { flavourOf } from '../../tokens/tokenizerFlavours.ts';
import { wordsOf } from '../../tokens/words.ts';
import { whole } from '../page/numbers.ts';
import { moveFocus } from '../page/roving.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import styles from './vocabulary.module.css';

/** Longest word whose merges are shown, in UTF-16 units. */
const longest = 60;

/** Plays the merges that turn a word's bytes into its tokens, in the order of their ranks. */
export function Merges({ tokenizer }: { tokenizer: Tokenizer }) {
  const typed = useFacts(shownWord);
  const flavour = useFacts((s) => flavourOf(s.options));
  const show = useFacts((s) => s.show);
  const [chosen, setChosen] = useState(0);
  const words = useMemo(
    () =>
      wordsOf(tokenizer.tokenize(sourceText(typed.slice(0, longest)), flavour)).map((word) => word.map(({ id }) => id)),
    [tokenizer, typed, flavour],
  );
  const word = words[Math.min(chosen, words.length - 1)];

  return (
    <section aria-labelledby="merges-title">
      <h3 id="merges-title">How a word becomes tokens</h3>
      <input
        type="text"
        aria-label="Word"
        spellCheck={false}
        maxLength={longest}
        value={typed}
        onChange={(event) => {
          show({ word: event.target.value });
          setChosen(0);
        }}
      />
      {words.length > 1 && (
        <Segmented
          legend={`${words.length} words`}
          name="word"
          className={styles.words}
          choices={words.map((ids, i) => ({ value: i, label: tokenizer.decode(ids).trim() }))}
          value={words.indexOf(word)}
          onChange={setChosen}
        />
      )}
      {word ? (
        <Player key={word.join(' ')} ids={word} tokenizer={tokenizer} />
      ) : (
        <p className="muted">Type a word, or choose one in the prompt’s tokens or among the entries.</p>
      )}
    </section>
  );
}

interface PlayerProps {
  /** The tokens of one word. */
  readonly ids: readonly number[];
  readonly tokenizer: Tokenizer;
}

function Player({ ids, tokenizer }: PlayerProps) {
  const { word, bytes, steps } = useMemo(() => tokenizer.merges(ids), [tokenizer, ids]);
  const [at, setAt] = useState(steps.length);
  const step = at === 0 ? undefined : steps[at - 1];
  const next = steps[at];
  const symbols = step?.symbols ?? bytes;
  // The vocabulary without the 256 bytes, the 256 bytes at the end of a word, BOS and EOS.
  const mergeCount = tokenizer.vocabSize - 2 * 256 - 2;
  const name = (id: number) => tokenizer.entry(id);
  const isDone = at === steps.length;

  const list = useRef<HTMLOListElement>(null);
  // Only the list scrolls, not the page.
  useEffect(() => {
    const item = list.current?.children[at];
    if (!list.current || !(item instanceof HTMLElement)) return;
    const last = item.offsetTop + item.offsetHeight - list.current.clientHeight;
    list.current.scrollTop = Math.min(Math.max(list.current.scrollTop, last), item.offsetTop);
  }, [at]);

  return (
    <div className={styles.player}>
      <div className={styles.controls}>
        <button type="button" aria-label="Step back" disabled={at === 0} onClick={() => setAt(at - 1)}>
          ‹
        </button>
        <input
          type="range"
          aria-label="Merge"
          min={0}
          max={steps.length}
          value={at}
          disabled={steps.length === 0}
          aria-valuetext={`${at} of ${steps.length}`}
          onChange={(event) => setAt(event.target.valueAsNumber)}
        />
        <button type="button" aria-label="Step forward" disabled={isDone} onClick={() => setAt(at + 1)}>
          ›
        </button>
        <span className={styles.count}>
          {at}
          <span className="muted"> / {steps.length}</span>
        </span>
      </div>
      <ol className={styles.symbols} aria-label="Symbols">
        {symbols.map((id, i) => {
          const isNext =
            next &&
            ((id === next.left && symbols[i + 1] === next.right) ||
              (id === next.right && symbols[i - 1] === next.left));
          return (
            <li key={i} data-state={step?.merged === id ? 'joined' : isNext ? 'next' : undefined}>
              <SymbolText text={name(id)} />
              {isDone && <span className={styles.id}>{id}</span>}
            </li>
          );
        })}
      </ol>
      <p className="readout" aria-live="polite">
        {step ? (
          <>
            <Pair left={name(step.left)} right={name(step.right)} /> → <SymbolText text={name(step.merged)} />: merge{' '}
            {whole(step.rank + 1)} in the list of {whole(mergeCount)}.{' '}
          </>
        ) : (
          `${bytes.length === 1 ? 'One byte' : `${bytes.length} bytes`} of UTF-8, one symbol each; the last says that the word ends. `
        )}
        {isDone &&
          (ids.length === 1 ? 'The word is one token.' : `No merge in the list fits any more: ${ids.length} tokens.`)}
      </p>
      <ol
        className={styles.steps}
        ref={list}
        aria-label="Merges in the order of their ranks"
        start={0}
        onKeyDown={(event) => moveFocus(event, 'button')}
      >
        {[undefined, ...steps].map((each, i) => (
          <li key={i}>
            <button
              type="button"
              className="quiet small"
              aria-pressed={i === at}
              tabIndex={i === at ? 0 : -1}
              onClick={() => setAt(i)}
            >
              <span className={styles.rank}>{each ? whole(each.rank + 1) : 'bytes'}</span>
              {each ? (
                <Pair left={name(each.left)} right={name(each.right)} />
              ) : (
                <span className={styles.hex}>
                  {Array.from(word, (byte) => byte.toString(16).padStart(2, '0')).join(' ')}
                </span>
              )}
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Pair({ left, right }: { left: string; right: string }) {
  return (
    <span>
      <SymbolText text={left} /> + <SymbolText text={right} />
    </span>
  );
}

function SymbolText({ text }: { text: string }) {
  return (
    <span className={styles.symbol}>
      {text.replace(wordEnd, '')}
      {text.endsWith(wordEnd) && <span className={styles.wordEnd}>{wordEnd}</span>}
    </span>
  );
}
