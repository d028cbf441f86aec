import type { PointerEventHandler, Ref } from 'react';
import styles from './tokenLabels.module.css';

interface TokenLabelsProps {
  readonly side: 'rows' | 'columns';
  readonly list: Ref<HTMLOListElement>;
  /** Token indices, in the order of the picture. */
  readonly shown: readonly number[];
  readonly labels: readonly string[];
  /** Every n-th label is written where there is no room for all; the others show when they are pointed at. */
  readonly every?: number;
  readonly onPoint?: PointerEventHandler;
}

/**
 * Writes the tokens along an edge of a picture. Screen readers skip them, because the picture has a text of its own.
 */
export function TokenLabels({ side, list, shown, labels, every = 1, onPoint }: TokenLabelsProps) {
  return (
    <ol
      className={`${styles.labels} ${styles[side]}`}
      ref={list}
      aria-hidden="true"
      onPointerOver={onPoint}
      onPointerDown={onPoint}
    >
      {shown.map((token, i) => (
        <li key={token} data-token={token} data-named={i % every === 0 || undefined}>
          <span>{labels[token]}</span>
        </li>
      ))}
    </ol>
  );
}
