import { useEffect } from 'react';
import { shownBenchPasses } from '../../state/methodBench.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import { useFacts } from '../page/useFacts.ts';
import { Bench } from './Bench.tsx';
import './methods.css';

/** Compares every weighting method on the prompt on show, and has encoded what they need while it is on show. */
export function Methods() {
  const need = useFacts((s) => s.need);
  const passes = useFacts(shownBenchPasses);
  useEffect(() => {
    need('methods', passes);
  }, [need, passes]);
  useEffect(() => () => need('methods', []), [need]);
  return (
    <section className="panel bench" id="methods" aria-labelledby="methods-title">
      <h2 id="methods-title">Methods</h2>
      <p className="help">What each program’s way of weighing makes of this prompt, side by side.</p>
      <Bench progress={<PassProgress passes={passes} />} />
    </section>
  );
}
