import { useRef } from 'react';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { type Pointed, pointed, tokensAt, usePointed } from '../pictures/pointed.ts';
import styles from './lecture.module.css';
import { partsOf, tokenWords } from './lessons.ts';

interface LessonTextProps {
  readonly text: string;
  /** The tokens on show, [L]; none before there is a prompt. */
  readonly tokens: readonly PromptToken[];
  /** [L] The weights as they are applied. */
  readonly applied: ArrayLike<number>;
  /** Hears of a word that was pressed, by the part that it means. */
  onPress(means: string): void;
}

/** The rows of the tokens that a word means. */
function rowsOfKind(means: string, tokens: readonly PromptToken[], applied: ArrayLike<number>): readonly number[] {
  const isMeant = ({ kind }: PromptToken, row: number) =>
    means === 'weighted' ? kind === 'text' && applied[row] !== 1 : kind === means;
  return tokens.flatMap((token, row) => (isMeant(token, row) ? [row] : []));
}

/** A lesson's sentences. Words that mean tokens point at them, and others light up a part of the lesson. */
export function LessonText({ text, tokens, applied, onPress }: LessonTextProps) {
  return (
    <fieldset className={styles.words}>
      <legend className="visually-hidden">Words of the lesson</legend>
      <p className={styles.text}>
        {partsOf(text).map(({ words, means }, i) => {
          if (!means) return words;
          const isOfTokens = tokenWords.includes(means);
          const rows = isOfTokens ? rowsOfKind(means, tokens, applied) : [];
          if (rows.length > 0) return <TokenWord key={i} words={words} means={means} rows={rows} />;
          // A prompt may have no such token; then there is nothing to point at.
          if (isOfTokens) return words;
          return (
            <button key={i} type="button" className={styles.term} data-means={means} onClick={() => onPress(means)}>
              {words}
            </button>
          );
        })}
      </p>
    </fieldset>
  );
}

/** A word that means tokens: all of them are pointed at while it is, and it is marked while one of them is pointed at. */
function TokenWord({ words, means, rows }: { readonly words: string; means: string; rows: readonly number[] }) {
  const { query, key } = usePointed();
  const focused = useRef<Pointed | null>(null);
  const isPointed = [query, key].some((row) => row !== null && rows.includes(row));
  const focus = () => {
    focused.current = tokensAt(rows);
    pointed.rest(focused.current);
  };
  return (
    <button
      type="button"
      className={styles.term}
      data-means={means}
      data-pointed={isPointed || undefined}
      onPointerEnter={() => pointed.over(tokensAt(rows))}
      onPointerLeave={() => pointed.over(null)}
      onFocus={focus}
      onBlur={() => pointed.leave(focused.current)}
      onClick={focus}
    >
      {words}
    </button>
  );
}
