import { useState } from 'react';
import { type ChosenFragment, shownSweepPlan } from '../../state/methodBench.ts';
import { useFacts } from '../page/useFacts.ts';
import { useNeeded } from '../page/useNeeded.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import styles from './methods.module.css';
import { useSweepPasses } from './useSweepPasses.ts';
import { WeightSweep } from './WeightSweep.tsx';

const lead =
  'What every method makes of one weight of this prompt, from −1 to 3. Move the slider, and write the weight that you like into the prompt.';

/** Sweeps one weight of the prompt on show through every method, and has encoded what they need while it is on show. */
export function Sweep() {
  const [chosen, setChosen] = useState<ChosenFragment | null>(null);
  const plan = useFacts((s) => shownSweepPlan(s, chosen));
  const passes = useSweepPasses(plan);
  useNeeded('methods', passes);
  return (
    <section className={`panel ${styles.view} ${styles.sweep}`} id="sweep" aria-labelledby="sweep-title">
      <ViewHeader view="sweep" lead={lead} />
      <WeightSweep plan={plan} passes={passes} onChoose={setChosen} />
    </section>
  );
}
