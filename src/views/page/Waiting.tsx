import { lostText } from '../../state/encoderStatus.ts';
import type { Facts } from '../../state/facts.ts';
import { useFacts } from './useFacts.ts';
import styles from './waiting.module.css';

/** Says what a picture waits for, or why it waits in vain. */
function waitingText({ noEngine, loading, lost, model }: Facts): string {
  if (noEngine !== null) return 'This comes from the encoder, which cannot run here.';
  if (loading) return 'Waiting for the weights.';
  if (lost) return `${lostText(lost)}: there is no encoder until the model is loaded again.`;
  return model ? 'Waiting for the first encode.' : 'This needs a model: choose or open one above.';
}

/** Stands in place of a picture that needs the encoder, and says what it waits for. */
export function Waiting() {
  return <p className={`${styles.waiting} muted`}>{useFacts(waitingText)}</p>;
}
