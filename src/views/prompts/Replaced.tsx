import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';

/** Says that a link, a file or a paste replaced the prompts, and offers to undo that. */
export function Replaced() {
  const replaced = useFacts((s) => s.replaced);
  const restore = useFacts((s) => s.restore);
  const takeOther = useFacts((s) => s.takeOther);
  const acceptReplaced = useFacts((s) => s.acceptReplaced);
  return (
    <div className={styles.replaced}>
      <div role="status" aria-label="What was opened">
        {replaced && (
          <div className="notice">
            <span className={styles.text}>{replaced.message}</span>
            <span className={styles.actions}>
              {replaced.readings && (
                <button type="button" className="small" onClick={takeOther}>
                  {replaced.readings[1].label}
                </button>
              )}
              <button type="button" className="small" onClick={() => restore(replaced.before)}>
                Undo
              </button>
              <button type="button" className="quiet small" aria-label="Keep" onClick={acceptReplaced}>
                ✕
              </button>
            </span>
          </div>
        )}
      </div>
    </div>
  );
}
