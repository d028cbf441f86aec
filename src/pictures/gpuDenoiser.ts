/** The denoiser's schedule, run by WGSL kernels: those of the text encoder where they fit, and five that it has no use for. */

import { attentionDispatch, type KernelDispatch, matmulDispatch, plainKernels } from '../gpu/dispatches.ts';
import { usage } from '../gpu/flags.ts';
import { GpuError } from '../gpu/gpuError.ts';
import { pipelinesOf, type Work } from '../gpu/kernels.ts';
import { copyToStaging, dispatchAll, submit } from '../gpu/submit.ts';
import { type ParameterSet, parameter } from '../training/parameters.ts';
import { type ContextSlots, createContextSlots } from './contextSlots.ts';
import type { DenoiserRoom } from './denoiser.ts';
import { type DenoiserConfig, timeWaves } from './denoiserConfig.ts';
import {
  batchOf,
  countOf,
  type DenoiserEngine,
  largestBatch,
  looksOf,
  type NoisyPictures,
  type Prediction,
  placesOf,
  writeInputs,
} from './denoiserEngine.ts';
import { type DenoiserSchedule, type DenoiserStep, denoiserSchedule, predictedName } from './denoiserSchedule.ts';
import { drawnPlanes } from './drawnPicture.ts';
import { rowsToPictures } from './gridLayers.ts';
import { normEps } from './pictureKernels.ts';

/** Batches of different sizes whose dispatches are kept. */
const maxPrepared = 8;

/** The model's name in error messages. */
const modelName = 'the picture model';

/** A dispatch, and the tensors that it is bound to in the kernel's order. */
interface BoundDispatch extends KernelDispatch {
  readonly tensors: readonly string[];
}

/** Names of tensors that the kernels need besides those of the schedule. */
const extras = {
  /** A bias of a layer of N outputs that has none. */
  zeros: (N: number) => `zeros.${N}`,
  /** A mask of self-attention [B, P, P] that hides nothing, and the range of all rows. */
  ones: (P: number) => `ones.${P}`,
  range: (P: number) => `range.${P}`,
  /** The neighbours of the pixels x [B, side, side, C]: [B, side, side, 9, C]. */
  neighbours: (x: string) => `neighbours of ${x}`,
} as const;

/** These tensors by name: their numbers, or how many there are. */
function extraTensors(plan: DenoiserSchedule): Map<string, Uint32Array<ArrayBuffer> | number> {
  const tensors = new Map<string, Uint32Array<ArrayBuffer> | number>();
  const shapeOf = (name: string) => plan.tensors.get(name)!.shape;
  for (const step of [...plan.contextSteps, ...plan.steps])
    if (step.operation === 'linear' && !step.bias) {
      const [N] = shapeOf(step.weight);
      // A buffer begins as zeros.
      tensors.set(extras.zeros(N), N);
    } else if (step.operation === 'convolution') tensors.set(extras.neighbours(step.x), 9 * countOf(plan, step.x));
    else if (step.operation === 'self_attention') {
      const [B, P] = shapeOf(step.qkv);
      tensors.set(extras.ones(P), new Uint32Array(B * P * P).fill(1));
      tensors.set(extras.range(P), Uint32Array.of(0, P, 0));
    }
  return tensors;
}

const lengthOf = (numbers: Uint32Array | number) => (typeof numbers === 'number' ? numbers : numbers.length);

/** The dispatches of a step. */
function dispatchesOf(step: DenoiserStep, plan: DenoiserSchedule): BoundDispatch[] {
  const shapeOf = (name: string) => plan.tensors.get(name)!.shape;
  /** Workgroups with an invocation for four elements of a tensor. */
  const byQuarters = (name: string) => [Math.ceil(countOf(plan, name) / 4 / 64), 1, 1] as const;
  const norm = (x: string, bound: readonly string[], more: Record<string, number>): BoundDispatch => {
    const [B, side, , D] = shapeOf(x);
    const constants = { D, EPSILON: normEps, ...more };
    return { kernel: 'layer_norm', constants, grid: [B * side * side, 1, 1], tensors: bound };
  };
  switch (step.operation) {
    case 'linear': {
      const [N, K] = shapeOf(step.weight);
      const bias = step.bias ?? extras.zeros(N);
      const epilogue = step.residual ? 'residual' : step.quickGelu ? 'quickGelu' : 'bias';
      const layer = matmulDispatch(plainKernels.matmul, { M: countOf(plan, step.y) / N, K, N }, epilogue);
      return [{ ...layer, tensors: [step.x, step.weight, bias, step.residual ?? bias, step.y] }];
    }
    case 'convolution': {
      const [B, SIDE, , C] = shapeOf(step.x);
      const [N] = shapeOf(step.weight);
      const M = B * SIDE * SIDE;
      const neighbours = extras.neighbours(step.x);
      const grid = [Math.ceil((9 * C) / 4 / 64), M, 1] as const;
      const epilogue = step.quickGelu ? 'quickGelu' : 'bias';
      return [
        { kernel: 'gather_neighbours', constants: { SIDE, C }, grid, tensors: [step.x, neighbours] },
        {
          ...matmulDispatch(plainKernels.matmul, { M, K: 9 * C, N }, epilogue),
          tensors: [neighbours, step.weight, step.bias, step.bias, step.y],
        },
      ];
    }
    case 'layer_norm':
      return [norm(step.x, [step.x, step.weight, step.bias, step.y], {})];
    case 'modulated_norm': {
      const [, side, , C] = shapeOf(step.x);
      return [norm(step.x, [step.x, step.scales, step.scales, step.y], { ROWS: side * side, BIAS_AT: C / 4 })];
    }
    case 'self_attention': {
      const [passes, L, , heads, headDim] = shapeOf(step.qkv);
      const bound = [step.qkv, extras.ones(L), extras.range(L), step.probabilities, step.attended];
      const layer = attentionDispatch(plainKernels.attention, { queries: L, L, heads, headDim, passes });
      return [{ ...layer, tensors: bound }];
    }
    case 'cross_attention': {
      const [B, P, H, HEAD_DIM] = shapeOf(step.queries);
      const [, ROOM] = shapeOf(step.probabilities);
      const { queries, keyValues, places, probabilities, attended } = step;
      return [
        {
          kernel: 'cross_attention',
          constants: { P, H, HEAD_DIM, ROOM },
          grid: [Math.ceil(P / 32), H, B],
          tensors: [queries, keyValues, places, probabilities, attended],
        },
      ];
    }
    case 'multiply':
      return [{ kernel: 'multiply', constants: {}, grid: byQuarters(step.y), tensors: [step.a, step.b, step.y] }];
    case 'add_positions': {
      const bound = [step.x, step.positions, step.y];
      return [{ kernel: 'embeddings', constants: {}, grid: byQuarters(step.y), tensors: bound }];
    }
    case 'gather_squares':
    case 'scatter_squares': {
      const [, SIDE, , width] = shapeOf(step.coarse);
      const bound = step.operation === 'gather_squares' ? [step.fine, step.coarse] : [step.fine, step.coarse, step.y];
      return [
        { kernel: step.operation, constants: { SIDE, C: width / 4 }, grid: byQuarters(step.coarse), tensors: bound },
      ];
    }
    default:
      return step satisfies never;
  }
}

/** An engine with what it holds on its device. */
interface Held {
  readonly device: GPUDevice;
  readonly config: DenoiserConfig;
  readonly room: DenoiserRoom;
  /** One for each tensor, with room for the largest batch. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  readonly slotsOf: (contexts: NoisyPictures['contexts']) => ContextSlots;
  /** Dispatches by how many pictures there are; the oldest first. */
  readonly prepared: Map<number, Promise<Works>>;
}

/** Dispatches for new conditions, and for each batch. */
interface Works {
  readonly contexts: readonly Work[];
  readonly pictures: readonly Work[];
}

/** Makes the buffers, and fills those of weights and constants. */
function fillBuffers(device: GPUDevice, plan: DenoiserSchedule, parameters: ParameterSet): Map<string, GPUBuffer> {
  const buffers = new Map<string, GPUBuffer>();
  const create = (label: string, elements: number) => {
    const buffer = device.createBuffer({
      label,
      size: elements * 4,
      usage: usage.storage | usage.copySource | usage.copyTarget,
    });
    buffers.set(label, buffer);
    return buffer;
  };
  for (const [name, { role, from }] of plan.tensors) {
    const buffer = create(name, countOf(plan, name));
    if (role === 'weight') device.queue.writeBuffer(buffer, 0, Float32Array.from(parameter(parameters, ...from).value));
  }
  for (const [name, numbers] of extraTensors(plan)) {
    const buffer = create(name, lengthOf(numbers));
    if (typeof numbers !== 'number') device.queue.writeBuffer(buffer, 0, numbers);
  }
  return buffers;
}

/** Compiles the kernels of a schedule and binds as much of each buffer as it needs: kernels take numbers of rows from that. */
async function prepare({ device, buffers }: Held, plan: DenoiserSchedule): Promise<Works> {
  const pipelines = pipelinesOf(device);
  const extra = extraTensors(plan);
  const sizeOf = (name: string) => 4 * (extra.has(name) ? lengthOf(extra.get(name)!) : countOf(plan, name));
  const worksOf = (steps: readonly DenoiserStep[]) =>
    Promise.all(
      steps
        .flatMap((step) => dispatchesOf(step, plan))
        .map(async ({ kernel, constants, grid, tensors }) => {
          const pipeline = await pipelines(kernel, constants);
          const entries = tensors.map((name, binding) => ({
            binding,
            resource: { buffer: buffers.get(name)!, size: sizeOf(name) },
          }));
          const layout = pipeline.getBindGroupLayout(0);
          return { pipeline, grid, bindGroup: device.createBindGroup({ label: kernel, layout, entries }) };
        }),
    );
  const [contexts, pictures] = await Promise.all([worksOf(plan.contextSteps), worksOf(plan.steps)]);
  return { contexts, pictures };
}

/** The dispatches of a schedule, of which the last few are kept. */
function worksOf(held: Held, plan: DenoiserSchedule, pictures: number): Promise<Works> {
  const { prepared } = held;
  const works = prepared.get(pictures) ?? prepare(held, plan);
  prepared.delete(pictures);
  prepared.set(pictures, works);
  works.catch(() => prepared.get(pictures) === works && prepared.delete(pictures));
  if (prepared.size > maxPrepared) prepared.delete(prepared.keys().next().value!);
  return works;
}

async function predict(held: Held, noisy: NoisyPictures, asksLooks: boolean): Promise<Prediction> {
  const { device, config, room, buffers, slotsOf } = held;
  const batch = batchOf(noisy, config, room);
  const plan = denoiserSchedule(config, batch);
  const works = await worksOf(held, plan, batch.pictures);
  const inputs = {
    pixels: new Float32Array(countOf(plan, 'pixels')),
    waves: new Float32Array(batch.pictures * 2 * timeWaves),
  };
  writeInputs(noisy, config, inputs);
  const slots = slotsOf(noisy.contexts);
  // A denoiser without cross-attention has no use for a condition.
  const write = (name: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, from = 0) => {
    const buffer = buffers.get(name);
    if (buffer) device.queue.writeBuffer(buffer, 4 * from, data);
  };
  for (const [name, data] of Object.entries(inputs)) write(name, data);
  write('places', placesOf(noisy, config, room, slots));
  for (const [slot, rows] of slots.missing)
    write('context', Float32Array.from(rows), slot * room.T * config.contextWidth);
  const looked = asksLooks
    ? plan.steps.flatMap((step) => (step.operation === 'cross_attention' ? [step.probabilities] : []))
    : [];
  const names = [predictedName, ...looked];
  const staging = await submit(device, modelName, (encoder) => {
    // A GPU takes hardly longer for all conditions than for one.
    dispatchAll(encoder, slots.missing.size > 0 ? [...works.contexts, ...works.pictures] : works.pictures);
    const copies = names.map((name) => ({ buffer: buffers.get(name)!, from: 0, elements: countOf(plan, name) }));
    return copyToStaging(device, encoder, copies);
  });
  const results = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  let from = 0;
  const read = new Map<string, Float32Array>();
  for (const name of names) {
    read.set(name, results.subarray(from, from + countOf(plan, name)));
    from += countOf(plan, name);
  }
  const clean = new Float32Array(batch.pictures * drawnPlanes * config.pictureSize ** 2);
  const [, side] = plan.tensors.get(predictedName)!.shape;
  rowsToPictures(clean, read.get(predictedName)!, { B: batch.pictures, side });
  return { clean, looks: asksLooks ? looksOf(plan, noisy, config, (name) => read.get(name)!) : [] };
}

/**
 * Makes an engine of trained parameters on a device, which stays the caller's. Rejects with GpuError where the GPU has not enough
 * memory, or the denoiser's heads are wider than the kernels allow.
 */
export async function createGpuDenoiser(
  device: GPUDevice,
  parameters: ParameterSet,
  config: DenoiserConfig,
  room: DenoiserRoom,
): Promise<DenoiserEngine> {
  if (config.headDim > 64 || config.headDim % 4)
    throw new GpuError(
      `Heads of ${config.headDim} columns are no multiple of 4 up to 64, which the GPU's kernels need.`,
    );
  device.pushErrorScope('out-of-memory');
  const buffers = fillBuffers(device, denoiserSchedule(config, largestBatch(room)), parameters);
  const destroy = () => {
    for (const buffer of buffers.values()) buffer.destroy();
  };
  if (await device.popErrorScope()) {
    destroy();
    throw new GpuError('The GPU has not enough memory for the picture model.');
  }
  const slotsOf = createContextSlots(largestBatch(room).contexts);
  const held: Held = { device, config, room, buffers, slotsOf, prepared: new Map() };
  return { config, room, predict: (noisy, asksLooks = false) => predict(held, noisy, asksLooks), destroy };
}
