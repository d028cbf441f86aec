import styles from './strip.module.css';

/** Follows a token that the model in use has no row for: a sign for eyes, and words for screen readers. */
export function UnknownMark() {
  return (
    <>
      <sup className={styles.unknown} aria-hidden="true">
        ?
      </sup>
      <span className="visually-hidden"> (not in this model’s world)</span>
    </>
  );
}
