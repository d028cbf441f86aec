import type { StepTimes } from '../engine/backend.ts';
import type { PreparedStep } from './activations.ts';
import { usage } from './flags.ts';
import { dispatch } from './kernels.ts';
import { submit } from './submit.ts';

/**
 * Runs each dispatch and times it by the GPU's own clock. Without `timestamp-query` nothing runs, and there are no times.
 * Rejects with GpuError; `model` names the model in it.
 */
export async function timeDispatches(
  device: GPUDevice,
  model: string,
  works: readonly PreparedStep[],
): Promise<StepTimes> {
  if (!device.features.has('timestamp-query'))
    return {
      steps: works.map(({ kernel }) => ({ kernel, milliseconds: null })),
      noTimes: "This browser or graphics driver does not let pages read the GPU's clock (timestamp-query).",
    };
  const times = await timestamps(device, model, works);
  return {
    steps: works.map(({ kernel }, i) => ({ kernel, milliseconds: Number(times[i * 2 + 1] - times[i * 2]) / 1e6 })),
    noTimes: null,
  };
}

/** Runs each dispatch in a compute pass of its own. Returns the nanoseconds at which each began and ended, in pairs. */
async function timestamps(device: GPUDevice, model: string, works: readonly PreparedStep[]): Promise<BigUint64Array> {
  const querySet = device.createQuerySet({ type: 'timestamp', count: works.length * 2 });
  const size = works.length * 16;
  const resolved = device.createBuffer({ size, usage: usage.queryResolve | usage.copySource });
  const staging = await submit(device, model, (encoder) => {
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
