import styles from './meanings.module.css';

interface MeaningsProps {
  readonly summary: string;
  /** Pairs of a name and its explanation. */
  readonly entries: readonly (readonly [name: string, meaning: string])[];
}

/** A list of explanations that unfolds. */
export function Meanings({ summary, entries }: MeaningsProps) {
  return (
    <details className={styles.meanings}>
      <summary>{summary}</summary>
      <dl>
        {entries.map(([name, meaning]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
