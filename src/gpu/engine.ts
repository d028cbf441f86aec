import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { tokenEmbeddingName, type WeightSource } from '../clip/weights.ts';
import { toFloat32, type WeightDtype } from '../files/dtypes.ts';
import { addToRows, tokenRows } from '../models/tokenTable.ts';
import { type Activations, createActivations, destroyBuffers, writeInputs } from './activations.ts';
import { type Pipelines, pipelinesOf } from './kernels.ts';
import { mergeLoras, type ReadTensor, type WeightedLora } from './loraMerge.ts';
import { type Placed, placePasses } from './slots.ts';
import { GpuError } from './submit.ts';
import type { KernelChoice } from './tuning.ts';
import { destroyWeights, type UploadedWeights, type Weights } from './upload.ts';

/** Passes of one submit; more are encoded in several. Bounds what activations take on the GPU: 17 MB a pass. */
export const maxSlots = 8;
/** Passes there is room for from the start: a prompt and a negative prompt, encoded together or in turn. */
export const minSlots = 2;

/** An encoder's state on its device. Operations on it must run one at a time: each builds on the rows of the one before. */
export interface Engine {
  readonly device: GPUDevice;
  readonly pipelines: Pipelines;
  readonly config: ClipTextConfig;
  readonly choice?: KernelChoice;
  /** The model's name, for error messages. */
  readonly name: string;
  /** [V, d] as stored. */
  readonly tokenTable: { readonly bytes: Uint8Array; readonly dtype: WeightDtype };
  /** Reads a tensor anew: LoRAs of some kinds need the weight that they change. */
  readonly readTensor: ReadTensor;
  /** The weights as they were loaded. */
  readonly original: Weights;
  /** The LoRAs that are merged now, and the weights that they changed. */
  loras: readonly WeightedLora[];
  merged: Weights;
  /** The weights that the kernels read: the original ones, with the merged ones in the place of some. */
  bound: Weights;
  activations: Activations;
  /** The largest number of passes that may still find memory: one less than the last that did not. */
  mostSlots: number;
  /** Counts the uses of slots. */
  uses: number;
}

/** Makes activations for `slots` passes. Rejects with GpuError where there is no memory for them. */
async function activationsFor(
  { device, pipelines, config, choice, name, bound }: Omit<Engine, 'activations'>,
  slots: number,
): Promise<Activations> {
  device.pushErrorScope('out-of-memory');
  const made = createActivations(device, pipelines, config, bound, slots, choice);
  if (!(await device.popErrorScope())) return made;
  destroyBuffers(made);
  throw new GpuError(`The GPU has not enough memory to encode ${slots} prompts with "${name}".`);
}

/** Makes the state of an encoder with these weights; it owns them from now on. Rejects with GpuError, and destroys them then. */
export async function createEngine(
  device: GPUDevice,
  source: WeightSource,
  { tokenTable, weights }: UploadedWeights,
  choice?: KernelChoice,
): Promise<Engine> {
  const engine = {
    device,
    pipelines: pipelinesOf(device),
    config: source.config,
    choice,
    name: source.name,
    tokenTable: { bytes: tokenTable, dtype: source.tensor(tokenEmbeddingName).dtype },
    readTensor: async (name: string) => toFloat32(await source.read(name), source.tensor(name).dtype),
    original: weights,
    loras: [],
    merged: new Map(),
    bound: weights,
    mostSlots: maxSlots,
    uses: 0,
  };
  try {
    return { ...engine, activations: await activationsFor(engine, minSlots) };
  } catch (error) {
    destroyWeights(weights);
    throw error;
  }
}

export function destroyEngine({ original, merged, activations }: Engine): void {
  destroyWeights(original);
  destroyWeights(merged);
  destroyBuffers(activations);
}

/**
 * Grows to `wished` passes where there is memory for them, and at least to `passes`; rows that are there are kept. Rejects with
 * GpuError where there is no memory for `passes`.
 */
export async function makeRoom(engine: Engine, passes: number, wished: number): Promise<void> {
  const wanted = Math.max(passes, Math.min(engine.mostSlots, wished));
  const before = engine.activations;
  if (wanted <= before.slots.length) return;
  let larger: Activations;
  try {
    larger = await activationsFor(engine, wanted);
  } catch (error) {
    engine.mostSlots = wanted - 1;
    if (passes === wanted) throw error;
    return makeRoom(engine, passes, wished);
  }
  const encoder = engine.device.createCommandEncoder({ label: 'more room' });
  for (const [i, buffer] of before.own.entries()) encoder.copyBufferToBuffer(buffer, 0, larger.own[i], 0, buffer.size);
  engine.device.queue.submit([encoder.finish()]);
  for (const [i, slot] of before.slots.entries()) larger.slots[i] = slot;
  engine.activations = larger;
  destroyBuffers(before);
}

/** Gathers the token embeddings of a pass [L, d] as LoRAs change them, with its textual-inversion vectors in their places. */
export function tokenRowsOf({ tokenTable, config, loras }: Engine, pass: EncoderPass): Float32Array<ArrayBuffer> {
  const rows = tokenRows(tokenTable.bytes, tokenTable.dtype, pass.inputIds, config.hiddenSize);
  for (const { updates, multiplier } of loras)
    for (const update of updates)
      if (update.target === tokenEmbeddingName) addToRows(rows, pass.inputIds, config.hiddenSize, update, multiplier);
  for (const [at, vector] of pass.vectors ?? []) rows.set(vector, at * config.hiddenSize);
  return rows;
}

/** Gives each pass a slot, and writes the inputs of the passes that have rows to compute. */
export function place(
  engine: Engine,
  passes: readonly EncoderPass[],
  alsoNeeded?: readonly EncoderPass[],
): readonly Placed[] {
  const { slots } = engine.activations;
  const placed = placePasses(slots, passes, alsoNeeded);
  for (const { pass, slot, first } of placed) {
    if (first < pass.inputIds.length)
      writeInputs(engine.device, engine.activations, slot, pass, tokenRowsOf(engine, pass));
    slots[slot] = { pass, rows: first, used: ++engine.uses };
  }
  return placed;
}

/**
 * Merges these LoRAs into the weights, and no others. Does nothing where they are merged already: the same updates with the
 * same multipliers in the same order. Rejects with GpuError where there is no memory, and changes nothing then.
 */
export async function useLoras(engine: Engine, wanted: readonly WeightedLora[]): Promise<void> {
  const { device, pipelines, original } = engine;
  const loras = wanted.filter(({ updates, multiplier }) => multiplier !== 0 && updates.length > 0);
  const isMerged = (lora: WeightedLora, i: number) =>
    lora.updates === engine.loras[i].updates && lora.multiplier === engine.loras[i].multiplier;
  if (loras.length === engine.loras.length && loras.every(isMerged)) return;
  const merged = await mergeLoras(device, pipelines, original, loras, engine.readTensor);
  if (!merged) throw new GpuError(`The GPU has not enough memory to merge LoRAs into "${engine.name}".`);
  const bound: Weights = new Map([...original, ...merged]);
  let activations: Activations;
  try {
    // New ones, because bind groups hold the old weights, and rows were computed with them.
    activations = await activationsFor({ ...engine, bound }, minSlots);
  } catch (error) {
    destroyWeights(merged);
    throw error;
  }
  destroyBuffers(engine.activations);
  destroyWeights(engine.merged);
  Object.assign(engine, { loras, merged, bound, activations, mostSlots: maxSlots });
}
