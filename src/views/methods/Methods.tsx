import { shownBenchPasses } from '../../state/methodBench.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useNeeded } from '../page/useNeeded.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Bench } from './Bench.tsx';
import styles from './methods.module.css';

const lead = (
  <>
    A <dfn>method</dfn> is a formula by which a program applies weights to rows. Here all of them weigh this prompt,
    side by side: how far each moves the rows from where they are without weights (Δ is that move, and ‖Δ‖ its length),
    and “Why” with this prompt’s numbers. BOS, EOS and PAD are the marks before and after your words.
  </>
);

/** Compares every weighting method on the prompt on show, and has encoded what they need while it is on show. */
export function Methods() {
  const passes = useFacts(shownBenchPasses);
  useNeeded('methods', passes);
  return (
    <section className={`panel ${styles.view} ${styles.bench}`} id="methods" aria-labelledby="methods-title">
      <ViewHeader view="methods" lead={lead} />
      <Bench progress={<PassProgress passes={passes} />} />
    </section>
  );
}
