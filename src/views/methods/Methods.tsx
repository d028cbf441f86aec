import { useEffect, useState } from 'react';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { encodedCount } from '../../state/encoded.ts';
import { shownBenchPasses, shownSweepPlan } from '../../state/methodBench.ts';
import { useFacts } from '../page/useFacts.ts';
import { Waiting } from '../page/Waiting.tsx';
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
          <Bench progress={<Progress passes={benchPasses} />} />
        </div>
      )}
      {sweep && (
        <div className="sweep" id="methods-sweep">
          <WeightSweep plan={plan} progress={<Progress passes={plan?.passes ?? none} />} onChoose={setFragment} />
        </div>
      )}
    </>
  );
}

/** How much of what a part takes is encoded; nothing where all of it is. */
function Progress({ passes }: { passes: readonly EncoderPass[] }) {
  const done = useFacts((s) => encodedCount(s, passes));
  const hasModel = useFacts((s) => s.model !== null && s.lost === null);
  const failure = useFacts((s) => s.encodeFailure?.message);
  if (!hasModel) return <Waiting />;
  if (done === passes.length) return null;
  if (failure) return <p className="warning">Encoding failed: {failure}</p>;
  return (
    <div className="passes">
      <progress aria-label="Passes encoded" max={passes.length} value={done} />
      <span>
        {done} of {passes.length} passes
      </span>
    </div>
  );
}
