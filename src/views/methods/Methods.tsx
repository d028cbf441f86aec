import { useEffect, useState } from 'react';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { shownBenchPasses, shownSweepPlan } from '../../state/methodBench.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import { useFacts } from '../page/useFacts.ts';
import { Bench } from './Bench.tsx';
import type { OpenParts } from './openParts.ts';
import './methods.css';
import { WeightSweep } from './WeightSweep.tsx';

const none: readonly EncoderPass[] = [];

/** The parts that are open, and what they need encoded while they are. */
export function Methods({ bench, sweep }: OpenParts) {
  const need = useFacts((s) => s.need);
  const [fragment, setFragment] = useState<number | null>(null);
  const benchPasses = useFacts((s) => (bench ? shownBenchPasses(s) : none));
  const plan = useFacts((s) => (sweep ? shownSweepPlan(s, fragment) : undefined));
  useEffect(() => {
    need('methods', [...benchPasses, ...(plan?.passes ?? none)]);
  }, [need, benchPasses, plan]);
  useEffect(() => () => need('methods', none), [need]);
  return (
    <>
      {bench && (
        <div className="bench" id="methods-bench">
          <Bench progress={<PassProgress passes={benchPasses} />} />
        </div>
      )}
      {sweep && (
        <div className="sweep" id="methods-sweep">
          <WeightSweep plan={plan} progress={<PassProgress passes={plan?.passes ?? none} />} onChoose={setFragment} />
        </div>
      )}
    </>
  );
}
