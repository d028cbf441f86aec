import { useMemo } from 'react';
import { prepared } from '../state/selectors.ts';
import type { PreparedText } from '../weighting/pipeline.ts';
import { Slider } from './Slider.tsx';
import { useFacts } from './useFacts.ts';

/** Stretches listed of one part. */
const most = 40;

/** Which text is encoded at which sampling step, where that changes: of the prompt on show. */
export function Schedule() {
  const texts = useFacts((s) => prepared(s, s.side)?.texts);
  const steps = useFacts((s) => s.options.steps);
  const step = useFacts((s) => s.options.step);
  const setOption = useFacts((s) => s.setOption);
  const changing = useMemo(
    () => texts?.map((text) => stretches(text, steps)).filter((all) => all.length > 1),
    [texts, steps],
  );
  if (!changing || changing.length === 0) return null;
  return (
    <section className="schedule" aria-label="Schedule">
      <Slider
        label="Step"
        count={steps}
        value={Math.min(step, steps) - 1}
        onChange={(at) => setOption('step', at + 1)}
      />
      {changing.map((all, i) => (
        <ol key={i}>
          {all.slice(0, most).map(({ first, last, text }) => (
            <li key={first} aria-current={first <= step && step <= last ? 'step' : undefined}>
              <button type="button" className="quiet small" onClick={() => setOption('step', first)}>
                {first === last ? `Step ${first}` : `Steps ${first}–${last}`}
              </button>
              <span>{text.trim() || '(empty)'}</span>
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

interface Stretch {
  /** Sampling steps, from 1. */
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

/** Steps in a row that encode the same. */
function stretches({ steps: entries }: PreparedText, steps: number): Stretch[] {
  const found: Stretch[] = [];
  for (const { endAtStep, text } of entries) {
    const before = found.at(-1);
    const last = Math.min(endAtStep + 1, steps);
    const first = before ? before.last + 1 : 1;
    if (before?.text === text.text) found[found.length - 1] = { ...before, last };
    else if (first <= last) found.push({ first, last, text: text.text });
  }
  return found;
}
