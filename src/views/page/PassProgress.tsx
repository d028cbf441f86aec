import type { EncoderPass } from '../../clip/encoderPass.ts';
import { encodedCount } from '../../state/encoded.ts';
import styles from './passProgress.module.css';
import { useFacts } from './useFacts.ts';
import { Waiting } from './Waiting.tsx';

/** Shows how much of what a part takes is encoded; nothing where all of it is. */
export function PassProgress({ passes }: { passes: readonly EncoderPass[] }) {
  const done = useFacts((s) => encodedCount(s, passes));
  const hasModel = useFacts((s) => s.model !== null && s.lost === null);
  const failure = useFacts((s) => s.encodeFailure?.message);
  if (!hasModel) return <Waiting />;
  if (done === passes.length) return null;
  if (failure) return <p className="warning">Encoding failed: {failure}</p>;
  return (
    <div className={styles.passes}>
      <progress aria-label="Passes encoded" max={passes.length} value={done} />
      <span>
        {done} of {passes.length} runs of the encoder
      </span>
    </div>
  );
}
