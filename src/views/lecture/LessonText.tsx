import { useRef } from 'react';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { pointsAtTokens, useFocusedToken, useMarks } from '../pictures/pointed.ts';
import styles from './lecture.module.css';
import { partsOf } from './lessons.ts';

interface LessonTextProps {
  readonly text: string;
  /** The tokens on show, [L]; none before there is a prompt. */
  readonly tokens: readonly PromptToken[];
  /** [L] The weights as they are applied. */
  readonly applied: ArrayLike<number>;
  /** Hears of a word that was pressed, by the part that it means. */
  onPress(means: string): void;
}

/** The rows of the tokens of a kind that a word may mean: the first, and the one past the last; null where there are none. */
function rowsOfKind(
  means: string,
  tokens: readonly PromptToken[],
  applied: ArrayLike<number>,
): readonly [number, number] | null {
  const isMeant = ({ kind }: PromptToken, row: number) =>
    means === 'weighted' ? kind === 'text' && applied[row] !== 1 : kind === means;
  const first = tokens.findIndex(isMeant);
  if (first < 0) return null;
  const after = tokens.findIndex((token, row) => row > first && !isMeant(token, row));
  return [first, after < 0 ? tokens.length : after];
}

/** A lesson's sentences. Words that mean a token point at it, and others light up a part of the lesson. */
export function LessonText({ text, tokens, applied, onPress }: LessonTextProps) {
  const frame = useRef<HTMLParagraphElement>(null);
  const focused = useFocusedToken();
  useMarks(frame);
  return (
    <p className={styles.text} ref={frame} {...pointsAtTokens} {...focused}>
      {partsOf(text).map(({ words, means }, i) => {
        if (!means) return words;
        const rows = rowsOfKind(means, tokens, applied);
        return (
          <button
            key={i}
            type="button"
            className={styles.term}
            data-means={means}
            {...(rows && { 'data-token': rows[0], 'data-token-end': rows[1] })}
            onClick={() => onPress(means)}
          >
            {words}
          </button>
        );
      })}
    </p>
  );
}
