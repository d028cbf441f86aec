/** The denoiser's schedule, run by the kernels that it is trained with: float32 by WebAssembly, or the plain loops in float64. */

import type { CompiledKernels } from '../cpu/kernels.ts';
import { addResidual, multiply } from '../training/layers.ts';
import { createParameters, parameter } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import { createContextSlots } from './contextSlots.ts';
import type { DenoiserRoom } from './denoiser.ts';
import { type DenoiserConfig, denoiserShapes } from './denoiserConfig.ts';
import {
  batchOf,
  countOf,
  type FillableEngine,
  largestBatch,
  looksOf,
  placesOf,
  writeInputs,
} from './denoiserEngine.ts';
import { type DenoiserSchedule, type DenoiserStep, denoiserSchedule, predictedName } from './denoiserSchedule.ts';
import { drawnPlanes } from './drawnPicture.ts';
import { gatherSquares, rowsToPictures, scatterSquares } from './gridLayers.ts';
import type { PictureKernels } from './pictureKernels.ts';
import { countPictureFloats, createPictureKernels } from './wasmPictureKernels.ts';

/** Runs one step. */
type Run<Operation extends DenoiserStep['operation']> = (step: Extract<DenoiserStep, { operation: Operation }>) => void;
type Runs = { readonly [Operation in DenoiserStep['operation']]: Run<Operation> };

/** A schedule on its way: its tensors, of which each is at least as long as the schedule says. */
interface Running {
  readonly kernels: PictureKernels;
  readonly plan: DenoiserSchedule;
  readonly at: (name: string) => Floats;
  /** [B, 2] */
  readonly places: ArrayLike<number>;
}

const shapeOf = ({ plan }: Running, name: string) => plan.tensors.get(name)!.shape;
const sizeOf = ({ plan }: Running, name: string) => countOf(plan, name);

/** The grid and the width of rows of pixels [B, side, side, C]. */
function rowsOf(running: Running, name: string) {
  const [B, side, , C] = shapeOf(running, name);
  return { grid: { B, side }, rows: B * side * side, C };
}

/** Products and norms. */
function layerRuns(running: Running): Pick<Runs, 'linear' | 'convolution' | 'layer_norm' | 'modulated_norm'> {
  const { kernels, at } = running;
  return {
    linear({ x, weight, bias, quickGelu, residual, y }) {
      const [N, K] = shapeOf(running, weight);
      const count = sizeOf(running, y);
      kernels.forward(at(y), at(x), at(weight), bias ? at(bias) : null, count / N, K, N);
      if (quickGelu) kernels.quickGelu(at(y), at(y), count);
      if (residual) addResidual(at(y), at(residual), count);
    },
    convolution({ x, weight, bias, quickGelu, y }) {
      const { grid, C: K } = rowsOf(running, x);
      const { C: N } = rowsOf(running, y);
      kernels.convolution(at(y), at(x), at(weight), at(bias), grid, K, N);
      if (quickGelu) kernels.quickGelu(at(y), at(y), sizeOf(running, y));
    },
    layer_norm({ x, weight, bias, y }) {
      const { rows, C } = rowsOf(running, x);
      kernels.layerNorm(at(y), at(x), at(weight), at(bias), rows, C);
    },
    modulated_norm({ x, scales, y }) {
      const { grid, C } = rowsOf(running, x);
      const P = grid.side * grid.side;
      for (let b = 0; b < grid.B; b++) {
        const part = (name: string) => at(name).subarray(b * P * C, (b + 1) * P * C);
        const own = at(scales).subarray(2 * b * C);
        kernels.layerNorm(part(y), part(x), own.subarray(0, C), own.subarray(C, 2 * C), P, C);
      }
    },
  };
}

function attentionRuns(running: Running): Pick<Runs, 'self_attention' | 'cross_attention'> {
  const { kernels, at, places } = running;
  return {
    self_attention({ qkv, probabilities, attended }) {
      const [B, P, , h, headDim] = shapeOf(running, qkv);
      const C = h * headDim;
      for (let b = 0; b < B; b++) {
        const q = at(qkv).subarray(3 * b * P * C);
        const heads = { q, k: q.subarray(C), v: q.subarray(2 * C) };
        const strides = { queryStride: 3 * C, keyStride: 3 * C };
        kernels.attention(at(attended).subarray(b * P * C), at(probabilities).subarray(b * h * P * P), heads, {
          ...{ B: 1, Lq: P, Lk: P, h, headDim, causal: false },
          ...strides,
        });
      }
    },
    cross_attention({ queries, keyValues, probabilities, attended }) {
      const [B, P, h, headDim] = shapeOf(running, queries);
      const [, room] = shapeOf(running, probabilities);
      const C = h * headDim;
      for (let b = 0; b < B; b++) {
        const [first, T] = [places[2 * b], places[2 * b + 1]];
        const kv = at(keyValues).subarray(2 * first * C);
        const heads = { q: at(queries).subarray(b * P * C), k: kv, v: kv.subarray(C) };
        const strides = { queryStride: C, keyStride: 2 * C };
        kernels.attention(at(attended).subarray(b * P * C), at(probabilities).subarray(b * room), heads, {
          ...{ B: 1, Lq: P, Lk: T, h, headDim, causal: false },
          ...strides,
        });
      }
    },
  };
}

/** Steps between rows and between levels. */
function gridRuns(running: Running): Pick<Runs, 'multiply' | 'add_positions' | 'gather_squares' | 'scatter_squares'> {
  const { at } = running;
  return {
    multiply: ({ a, b, y }) => multiply(at(y), at(a), at(b), sizeOf(running, y)),
    add_positions({ x, positions, y }) {
      const [to, from, added] = [at(y), at(x), at(positions)];
      const length = sizeOf(running, positions);
      const count = sizeOf(running, y);
      for (let i = 0; i < count; i++) to[i] = from[i] + added[i % length];
    },
    gather_squares({ fine, coarse }) {
      const { grid, C } = rowsOf(running, coarse);
      gatherSquares(at(coarse), at(fine), grid, C / 4);
    },
    scatter_squares({ fine, coarse, y }) {
      const { grid, C } = rowsOf(running, coarse);
      at(y).set(at(fine));
      scatterSquares(at(y), at(coarse), grid, C / 4);
    },
  };
}

/** Fills slots with conditions, and with the keys and values that layers have of them. */
function fillContexts(
  { kernels, plan, at }: Omit<Running, 'places'>,
  { contextWidth: d }: DenoiserConfig,
  missing: ReadonlyMap<number, Floats>,
): void {
  for (const [slot, rows] of missing) {
    for (const { x, weight, y } of plan.contextSteps) {
      const [[, T], [N]] = [plan.tensors.get(x)!.shape, plan.tensors.get(weight)!.shape];
      const own = at(x).subarray(slot * T * d);
      own.set(rows);
      kernels.forward(at(y).subarray(slot * T * N), own, at(weight), null, rows.length / d, d, N);
    }
  }
}

function runSteps(running: Running): void {
  const runs: Runs = { ...layerRuns(running), ...attentionRuns(running), ...gridRuns(running) };
  for (const step of running.plan.steps) (runs[step.operation] as (step: DenoiserStep) => void)(step);
}

/** Makes an engine of kernels that have room for it. All parameters are zero. */
export function cpuDenoiser(kernels: PictureKernels, config: DenoiserConfig, room: DenoiserRoom): FillableEngine {
  const parameters = createParameters(denoiserShapes(config), kernels.allocate);
  const largest = denoiserSchedule(config, largestBatch(room));
  const arrays = new Map<string, Floats>();
  for (const [name, { role, from }] of largest.tensors) {
    const array = role === 'weight' ? parameter(parameters, ...from).value : kernels.allocate(countOf(largest, name));
    arrays.set(name, array);
  }
  const at = (name: string) => arrays.get(name)!;
  const pictures = kernels.allocate(room.B * drawnPlanes * config.pictureSize ** 2);
  const slotsOf = createContextSlots(largestBatch(room).contexts);
  return {
    ...{ config, room, parameters },
    predict(noisy, asksLooks = false) {
      const plan = denoiserSchedule(config, batchOf(noisy, config, room));
      const slots = slotsOf(noisy.contexts);
      fillContexts({ kernels, plan, at }, config, slots.missing);
      writeInputs(noisy, config, { pixels: at('pixels'), waves: at('waves') });
      const running = { kernels, plan, at, places: placesOf(noisy, config, room, slots) };
      runSteps(running);
      const { grid } = rowsOf(running, predictedName);
      rowsToPictures(pictures, at(predictedName), grid);
      return {
        clean: pictures.subarray(0, grid.B * drawnPlanes * config.pictureSize ** 2),
        looks: asksLooks ? looksOf(plan, noisy, config, at) : [],
      };
    },
    // WebAssembly's memory goes with the last of its views.
    destroy() {},
  };
}

/** Makes an engine in float32 on WebAssembly. Rejects with CpuError where there is not enough memory. */
export async function createCpuDenoiser(
  compiled: CompiledKernels,
  config: DenoiserConfig,
  room: DenoiserRoom,
): Promise<FillableEngine> {
  const floats = countPictureFloats((kernels) => void cpuDenoiser(kernels, config, room));
  return cpuDenoiser(await createPictureKernels(compiled, config, room, floats), config, room);
}
