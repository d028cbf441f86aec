import { useMemo } from 'react';
import { prepared } from '../../state/reading.ts';
import { Slider } from '../page/Slider.tsx';
import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';
import { differences, stretches } from './stretches.ts';

/** Most stretches that are listed for one part. */
const most = 40;

/** Lists which text of the prompt on show is encoded at which sampling steps, if that changes. */
export function Schedule() {
  const texts = useFacts((s) => prepared(s, s.side)?.texts);
  const steps = useFacts((s) => s.options.steps);
  const step = useFacts((s) => s.options.step);
  const setOption = useFacts((s) => s.setOption);
  const changing = useMemo(
    () => texts?.map((text) => stretches(text.steps, steps)).filter((all) => all.length > 1),
    [texts, steps],
  );
  const shortened = useMemo(() => changing?.map((all) => differences(all.map(({ text }) => text))) ?? [], [changing]);
  if (!changing || changing.length === 0) return null;
  return (
    <section className={styles.schedule} aria-label="Schedule">
      <Slider
        label="Step"
        count={steps}
        value={Math.min(step, steps) - 1}
        onChange={(at) => setOption('step', at + 1)}
      />
      {changing.map((all, i) => (
        <ol key={i}>
          {all.slice(0, most).map(({ first, last, text }, at) => (
            <li key={first} aria-current={first <= step && step <= last ? 'step' : undefined}>
              <button type="button" className="quiet small" onClick={() => setOption('step', first)}>
                {first === last ? `Step ${first}` : `Steps ${first}–${last}`}
              </button>
              <span title={text.trim()}>{shortened[i][at] || '(empty)'}</span>
            </li>
          ))}
          {all.length > most && <li className="muted">and {all.length - most} more</li>}
        </ol>
      ))}
      <p className="help">
        The sampler counts its calls from 0, and the schedule its steps from 1: the first text lasts for one step more
        than its number says.
      </p>
    </section>
  );
}
