import type { PastPrompts } from '../../state/history.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function when(at: number, now: number): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? time.format(at) : `${day.format(at)}, ${time.format(at)}`;
}

/** Lists earlier prompts, to bring one back. */
export function History({ onChosen }: { onChosen(): void }) {
  const past = useFacts((s) => s.past);
  const replace = useFacts((s) => s.replace);
  const clearHistory = useFacts((s) => s.clearHistory);
  const now = Date.now();
  if (past.length === 0)
    return (
      <p className="muted small">
        No earlier prompts yet. They are kept here, in this browser alone, when you leave a prompt or the page.
      </p>
    );
  const bringBack = ({ prompts, at }: PastPrompts) => {
    replace({ prompts }, `Brought back from ${when(at, now)}.`);
    onChosen();
  };
  return (
    <div className={styles.history}>
      <ol aria-label="Earlier prompts">
        {past.map((entry) => (
          <li key={entry.at}>
            <button type="button" onClick={() => bringBack(entry)}>
              <time dateTime={new Date(entry.at).toISOString()}>{when(entry.at, now)}</time>
              <span className={styles.pastText}>{entry.prompts.positive || '(empty)'}</span>
              {entry.prompts.negative && (
                <span className={`${styles.pastText} ${styles.negative}`}>{entry.prompts.negative}</span>
              )}
            </button>
          </li>
        ))}
      </ol>
      <div className={styles.foot}>
        <span className="muted small">Kept in this browser alone.</span>
        <button type="button" className="small" onClick={clearHistory}>
          Clear history
        </button>
      </div>
    </div>
  );
}
