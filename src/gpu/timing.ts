import type { EncoderPass } from '../clip/encoderPass.ts';
import { weightBytes } from '../files/dtypes.ts';
import type { PreparedStep } from './activations.ts';
import { type Engine, place } from './engine.ts';
import { usage } from './flags.ts';
import { dispatch } from './kernels.ts';
import { type Profile, type RowSpan, visibleKeys } from './profile.ts';
import { isAttention, stepBytes } from './schedule.ts';
import { submit } from './submit.ts';

/**
 * Runs each step of rows `first` to `end` of a pass and times it by the GPU's own clock. Without `timestamp-query` nothing
 * runs, and the steps have no times. Rejects with GpuError.
 */
export async function timeSteps(engine: Engine, pass: EncoderPass, { first, end }: RowSpan): Promise<Profile> {
  const { device, activations, bound } = engine;
  const L = engine.config.maxPositionEmbeddings;
  const [placed] = place(engine, [pass]);
  const range = { slot: placed.slot, passes: 1, first, end };
  const works = await activations.dispatches(range);
  const plan = { ...activations.plan, range };
  const elementBytes = (name: string) => weightBytes[bound.get(name)?.dtype ?? 'F32'];
  const visible = visibleKeys(pass, range);
  const steps = works.map(({ step }) => ({
    label: step.label,
    kernel: step.kernel,
    flops: isAttention(step) ? (step.flops * visible.pairs) / ((end - first) * L) : step.flops,
    bytes: stepBytes(step, plan, elementBytes, visible.keys),
  }));
  if (!device.features.has('timestamp-query'))
    return {
      steps: steps.map((step) => ({ ...step, milliseconds: null })),
      noTimes: "This browser or graphics driver does not let pages read the GPU's clock (timestamp-query).",
    };
  const times = await timestamps(engine, works);
  // Profiling recomputes rows: they are valid only if all rows that they attend to are.
  if (pass.causal ? first <= placed.first : first === 0 && end === L)
    activations.slots[placed.slot].rows = Math.max(placed.first, end);
  return {
    steps: steps.map((step, i) => ({ ...step, milliseconds: Number(times[i * 2 + 1] - times[i * 2]) / 1e6 })),
    noTimes: null,
  };
}

/** Runs each dispatch in a compute pass of its own. Returns the nanoseconds at which each began and ended, in pairs. */
async function timestamps({ device, name }: Engine, works: readonly PreparedStep[]): Promise<BigUint64Array> {
  const querySet = device.createQuerySet({ type: 'timestamp', count: works.length * 2 });
  const size = works.length * 16;
  const resolved = device.createBuffer({ size, usage: usage.queryResolve | usage.copySource });
  const staging = await submit(device, name, (encoder) => {
    for (const [i, work] of works.entries()) {
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: i * 2, endOfPassWriteIndex: i * 2 + 1 },
      });
      dispatch(pass, work);
      pass.end();
    }
    const staging = device.createBuffer({ size, usage: usage.copyTarget | usage.mapRead });
    encoder.resolveQuerySet(querySet, 0, works.length * 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    return staging;
  });
  const times = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const disposable of [querySet, resolved, staging]) disposable.destroy();
  return times;
}
