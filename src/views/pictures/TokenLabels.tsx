import type { PointerEventHandler, Ref } from 'react';
import styles from './tokenLabels.module.css';

interface TokenLabelsProps {
  readonly side: 'rows' | 'columns';
  readonly list: Ref<HTMLOListElement>;
  /** Token indices, in the order of the picture. */
  readonly shown: readonly number[];
  readonly labels: readonly string[];
  readonly onPoint?: PointerEventHandler;
}

/**
 * Writes the tokens along an edge of a picture. Screen readers skip them, because the picture has a text of its own.
 */
export function TokenLabels({ side, list, shown, labels, onPoint }: TokenLabelsProps) {
  return (
    <ol
      className={`${styles.labels} ${styles[side]}`}
      ref={list}
      aria-hidden="true"
      onPointerOver={onPoint}
      onPointerDown={onPoint}
    >
      {shown.map((token) => (
        <li key={token} data-token={token}>
          <span>{labels[token]}</span>
        </li>
      ))}
    </ol>
  );
}
