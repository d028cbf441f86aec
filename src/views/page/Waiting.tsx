import { useFacts } from './useFacts.ts';
import styles from './waiting.module.css';

/** Stands in place of a picture that needs the encoder, and says what it waits for. */
export function Waiting() {
  const isMissing = useFacts((s) => s.noEngine !== null);
  const hasModel = useFacts((s) => s.model !== null);
  const isLoading = useFacts((s) => s.loading !== null);
  return (
    <p className={`${styles.waiting} muted`}>
      {isMissing
        ? 'This comes from the encoder, which cannot run here.'
        : isLoading
          ? 'Waiting for the weights.'
          : hasModel
            ? 'Waiting for the first encode.'
            : 'This needs a model: choose or open one above.'}
    </p>
  );
}
