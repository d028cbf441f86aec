import type { EncoderPass } from '../../clip/encoderPass.ts';
import type { SweepPlan } from '../../state/methodBench.ts';
import { useSliced } from '../page/useSliced.ts';

/** The passes that a sweep takes; undefined while those of a long text are being listed, in slices. */
export function useSweepPasses(plan: SweepPlan | undefined): readonly EncoderPass[] | undefined {
  const work = plan?.listPasses ?? null;
  const { value, isStale } = useSliced(work, work?.isLong ?? false);
  return work && !isStale ? value : undefined;
}
