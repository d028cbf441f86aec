import type { EncoderPass } from '../clip/encoderPass.ts';
import { weightBytes } from '../files/dtypes.ts';
import { type EncoderState, place } from './encoderState.ts';
import { type Profile, type RowSpan, visibleKeys } from './profile.ts';
import { schedule, stepBytes } from './schedule.ts';

/**
 * Runs each step of rows `first` to `end` of a pass and times it by the engine's own clock. Without one nothing runs, and the
 * steps have no times. Rejects with the engine's error.
 */
export async function timeSteps(state: EncoderState, pass: EncoderPass, { first, end }: RowSpan): Promise<Profile> {
  const { backend, config, slots } = state;
  const L = config.maxPositionEmbeddings;
  const [placed] = place(state, [pass]);
  const range = { slot: placed.slot, passes: 1, first, end };
  const plan = schedule(config, slots.length, range);
  const times = await backend.time(range);
  const elementBytes = (name: string) => weightBytes[backend.weights.get(name)?.dtype ?? 'F32'];
  const visible = visibleKeys(pass, range);
  // Profiling recomputes rows: they are valid only if all rows that they attend to are.
  if (times.noTimes === null && (pass.causal ? first <= placed.first : first === 0 && end === L))
    slots[placed.slot].rows = Math.max(placed.first, end);
  return {
    steps: plan.steps.map((step, i) => ({
      ...times.steps[i],
      label: step.label,
      flops: step.operation === 'attention' ? (step.flops * visible.pairs) / ((end - first) * L) : step.flops,
      bytes: stepBytes(step, plan, elementBytes, visible.keys),
    })),
    noTimes: times.noTimes,
  };
}
