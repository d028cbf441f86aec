import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderWant } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import type { Backend, ReadySlot, WeightedLora } from '../engine/backend.ts';
import { minSlots } from '../engine/encoderState.ts';
import { type RowRange, schedule } from '../engine/schedule.ts';
import type { ReadTensor } from '../engine/weightChanges.ts';
import { toFloat32, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import {
  type Activations,
  allocate,
  createActivations,
  destroyBuffers,
  prepare,
  weightDtype,
  writeInputs,
} from './activations.ts';
import { type KernelChoice, stepDispatch } from './dispatches.ts';
import { usage } from './flags.ts';
import { GpuError } from './gpuError.ts';
import { type Pipelines, pipelinesOf } from './kernels.ts';
import { mergeLoras } from './loraMerge.ts';
import { outputCopies, readOutputs } from './readback.ts';
import { copyToStaging, dispatchAll, submit } from './submit.ts';
import { timeDispatches } from './timing.ts';
import { destroyWeights, type Weights } from './upload.ts';

/** A backend with all that it holds on its device. */
interface Held {
  readonly device: GPUDevice;
  readonly pipelines: Pipelines;
  readonly config: ClipTextConfig;
  readonly choice?: KernelChoice;
  /** The model's name, for error messages. */
  readonly name: string;
  /** Reads a tensor anew: LoRAs of some kinds need the weight that they change. */
  readonly readTensor: ReadTensor;
  /** The weights as they were loaded. */
  readonly original: Weights;
  /** The weights that LoRAs changed. */
  merged: Weights;
  /** The weights that the kernels read: the original ones, with the merged ones in the place of some. */
  bound: Weights;
  activations: Activations;
}

const bytesOf = (weights: Weights) => [...weights.values()].reduce((sum, { buffer }) => sum + buffer.size, 0);

/** Makes activations for `slots` passes. Rejects with GpuError where there is no memory for them. */
async function activationsFor(
  { device, pipelines, config, choice, name, bound }: Omit<Held, 'activations'>,
  slots: number,
): Promise<Activations> {
  device.pushErrorScope('out-of-memory');
  const made = createActivations(device, pipelines, config, bound, slots, choice);
  if (!(await device.popErrorScope())) return made;
  destroyBuffers(made);
  throw new GpuError(`The GPU has not enough memory to encode ${slots} prompts with "${name}".`);
}

async function grow(held: Held, slots: number): Promise<void> {
  const before = held.activations;
  const larger = await activationsFor(held, slots);
  const encoder = held.device.createCommandEncoder({ label: 'more room' });
  for (const [i, buffer] of before.own.entries()) encoder.copyBufferToBuffer(buffer, 0, larger.own[i], 0, buffer.size);
  held.device.queue.submit([encoder.finish()]);
  held.activations = larger;
  destroyBuffers(before);
}

async function compute(
  { device, name, config, activations }: Held,
  ranges: readonly RowRange[],
  want: EncoderWant,
  slots: readonly ReadySlot[],
): Promise<EncoderOutput[]> {
  const works = (await Promise.all(ranges.map((range) => activations.dispatches(range)))).flat();
  const staging = await submit(device, name, (encoder) => {
    dispatchAll(encoder, works);
    return copyToStaging(device, encoder, outputCopies(activations, config, want, slots));
  });
  try {
    return readOutputs(new Float32Array(staging.getMappedRange()), config, want, slots);
  } finally {
    staging.destroy();
  }
}

async function merge(held: Held, loras: readonly WeightedLora[]): Promise<void> {
  const { device, pipelines, original, name } = held;
  const merged = await mergeLoras(device, pipelines, original, loras, held.readTensor);
  if (!merged) throw new GpuError(`The GPU has not enough memory to merge LoRAs into "${name}".`);
  const bound: Weights = new Map([...original, ...merged]);
  let activations: Activations;
  try {
    // New ones, because bind groups hold the old weights, and rows were computed with them.
    activations = await activationsFor({ ...held, bound }, minSlots);
  } catch (error) {
    destroyWeights(merged);
    throw error;
  }
  destroyBuffers(held.activations);
  destroyWeights(held.merged);
  Object.assign(held, { merged, bound, activations });
}

const inspectWith =
  (held: Held): Backend['inspect'] =>
  async (plan, { pass, tokenRows, kept, given }, names, signal) => {
    const { device, pipelines, config, bound, name, activations } = held;
    device.pushErrorScope('out-of-memory');
    const scratch = allocate(device, plan, bound);
    const full = await device.popErrorScope();
    try {
      if (full) throw new GpuError(`The GPU has not enough memory to show a layer of "${name}".`);
      const works = await prepare(device, pipelines, plan, held, scratch, bound);
      signal?.throwIfAborted();
      writeInputs(device, scratch, 0, pass, tokenRows);
      for (const [tensor, rows] of given ?? []) device.queue.writeBuffer(scratch.all.get(tensor)!, 0, rows);
      const sizes = names.map((tensor) => elementCount(plan.tensors.get(tensor)!.shape));
      const staging = await submit(device, name, (encoder) => {
        if (kept) {
          const { maxPositionEmbeddings: L, hiddenSize: d } = config;
          const [from, to] = [activations, scratch].map(({ all }) => all.get(kept.tensor)!);
          encoder.copyBufferToBuffer(from, kept.slot * L * d * 4, to, 0, L * d * 4);
        }
        dispatchAll(encoder, works);
        const copies = names.map((tensor, i) => ({ buffer: scratch.all.get(tensor)!, from: 0, elements: sizes[i] }));
        return copyToStaging(device, encoder, copies);
      });
      const results = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      let from = 0;
      return new Map(
        names.map((tensor, i) => {
          from += sizes[i];
          return [tensor, results.slice(from - sizes[i], from)];
        }),
      );
    } finally {
      destroyBuffers(scratch);
    }
  };

async function readRow({ device, name, bound }: Held, weightName: string, row: number): Promise<Float32Array> {
  const { buffer, shape, dtype } = bound.get(weightName)!;
  const size = (shape[1] ?? 1) * weightBytes[dtype];
  const staging = await submit(device, name, (encoder) => {
    // Copies are in words of four bytes; a row of 16-bit weights has an even number of them.
    const staging = device.createBuffer({ size, usage: usage.copyTarget | usage.mapRead });
    encoder.copyBufferToBuffer(buffer, row * size, staging, 0, size);
    return staging;
  });
  const bytes = new Uint8Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return toFloat32(bytes, dtype);
}

/** Compiles the pipelines of one pass with 1 to L rows, each when `idle` resolves. */
async function compile(
  { config, choice, pipelines, bound }: Held,
  idle: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  for (let end = 1; end <= config.maxPositionEmbeddings; end++) {
    const plan = schedule(config, 1, { slot: 0, passes: 1, first: 0, end });
    for (const step of plan.steps) {
      await idle();
      signal?.throwIfAborted();
      const { kernel, constants } = stepDispatch(step, plan, config, choice);
      await pipelines(kernel, constants, weightDtype(step, bound));
    }
  }
}

/** Makes a backend of weights on a device; it owns them from now on. Rejects with GpuError, and destroys them then. */
export async function createGpuBackend(
  device: GPUDevice,
  source: WeightSource,
  weights: Weights,
  choice?: KernelChoice,
): Promise<Backend> {
  const without: Omit<Held, 'activations'> = {
    device,
    pipelines: pipelinesOf(device),
    config: source.config,
    choice,
    name: source.name,
    readTensor: async (name) => toFloat32(await source.read(name), source.tensor(name).dtype),
    original: weights,
    merged: new Map(),
    bound: weights,
  };
  let held: Held;
  try {
    held = { ...without, activations: await activationsFor(without, minSlots) };
  } catch (error) {
    destroyWeights(weights);
    throw error;
  }
  const weightBytes = bytesOf(weights);
  return {
    weightBytes,
    get weights() {
      return held.bound;
    },
    get mergedBytes() {
      return bytesOf(held.merged);
    },
    get activationBytes() {
      return held.activations.bytes;
    },
    grow: (slots) => grow(held, slots),
    write: (slot, pass, rows) => writeInputs(device, held.activations, slot, pass, rows),
    compute: (ranges, want, slots) => compute(held, ranges, want, slots),
    merge: (loras) => merge(held, loras),
    time: async (range) => timeDispatches(device, held.name, await held.activations.dispatches(range)),
    inspect: inspectWith(held),
    readRow: (weight, row) => readRow(held, weight, row),
    compile: (idle, signal) => compile(held, idle, signal),
    destroy() {
      destroyWeights(weights);
      destroyWeights(held.merged);
      destroyBuffers(held.activations);
    },
  };
}
