import { useFacts } from './useFacts.ts';
import styles from './waiting.module.css';

/** Stands in place of a picture that needs the encoder, and says what it waits for. */
export function Waiting() {
  const adapter = useFacts((s) => s.adapter.phase);
  const hasModel = useFacts((s) => s.model !== null);
  const isLoading = useFacts((s) => s.loading !== null);
  return (
    <p className={`${styles.waiting} muted`}>
      {adapter === 'missing'
        ? 'This comes from the encoder, which needs WebGPU.'
        : isLoading || adapter === 'starting'
          ? 'Waiting for the weights.'
          : hasModel
            ? 'Waiting for the first encode.'
            : 'This needs a model: choose or open one above.'}
    </p>
  );
}
