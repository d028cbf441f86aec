import { useState } from 'react';
import styles from './lecture.module.css';
import type { Trial } from './lessons.ts';

interface TryProps {
  readonly trial: Trial;
  onTry(): void;
  /** Takes back what was done. */
  onBack(): void;
}

/** A button that does something in the lesson, and says what to look at once it is done. */
export function Try({ trial: { label, look }, onTry, onBack }: TryProps) {
  const [isDone, setIsDone] = useState(false);
  return (
    <section className={styles.try} aria-label="Try it">
      <button
        type="button"
        className="primary"
        onClick={() => {
          onTry();
          setIsDone(true);
        }}
      >
        {label}
      </button>
      {isDone && (
        <button
          type="button"
          onClick={() => {
            onBack();
            setIsDone(false);
          }}
        >
          Put it back
        </button>
      )}
      <p role="status">{isDone ? look : <span className="muted">Press, and read here what to look at.</span>}</p>
    </section>
  );
}
