/**
 * The forward pass of the denoiser as data, for drawing: a list of steps that every engine runs with kernels of its own. It computes
 * what `denoise` of denoiser.ts does, to the bit where the kernels are the same; that one keeps what a backward pass needs.
 *
 * A condition is the same in every step of a sampler. So its keys and values are computed when it first comes, and kept: `contextSteps`
 * are run for a new condition, `steps` for each batch of pictures.
 *
 * Letters: B pictures, T rows that a condition can have, C numbers of a row, d those of a row of condition.
 */

import { blockPlaces, type DenoiserConfig, denoiserShapes, pixelWidth, sideOf, timeWaves } from './denoiserConfig.ts';

/** Sizes of what the denoiser is asked at once, and of what it keeps. */
export interface DenoiserBatch {
  /** B */
  readonly pictures: number;
  /** Conditions that are kept. */
  readonly contexts: number;
  /** T */
  readonly contextRows: number;
}

export interface DenoiserTensor {
  /** Weights and inputs are filled from outside, activations are written by a step before they are read. */
  readonly role: 'weight' | 'input' | 'activation';
  /** Rows of pixels are [B, side, side, C]. */
  readonly shape: readonly number[];
  /** Names of the parameters that a weight consists of, one below the other; empty for the rest. */
  readonly from: readonly string[];
}

/** A step's operation with the names of its tensors: y, or what stands last, is written. No step writes what it reads. */
export type DenoiserOperation =
  /** y = x Wᵀ + b (no b where it is null), then QuickGELU or + residual where there is one. */
  | {
      readonly operation: 'linear';
      readonly x: string;
      readonly weight: string;
      readonly bias: string | null;
      readonly quickGelu?: boolean;
      readonly residual?: string;
      readonly y: string;
    }
  /** A 3 × 3 convolution, outside of the picture 0, then QuickGELU where it is said. */
  | {
      readonly operation: 'convolution';
      readonly x: string;
      readonly weight: string;
      readonly bias: string;
      readonly quickGelu: boolean;
      readonly y: string;
    }
  /** LayerNorm of each row. */
  | {
      readonly operation: 'layer_norm';
      readonly x: string;
      readonly weight: string;
      readonly bias: string;
      readonly y: string;
    }
  /** LayerNorm whose weight and bias, `scales` [B, 2, C], are each picture's own. */
  | { readonly operation: 'modulated_norm'; readonly x: string; readonly scales: string; readonly y: string }
  /** Each picture's rows [B, P, 3, h, dh] look at each other; probabilities [B, h, P, P]. */
  | {
      readonly operation: 'self_attention';
      readonly qkv: string;
      readonly probabilities: string;
      readonly attended: string;
    }
  /** Each picture's rows [B, P, h, dh] look at its condition, one of those that `keyValues` [contexts, T, 2, h, dh] has. */
  | {
      readonly operation: 'cross_attention';
      readonly queries: string;
      readonly keyValues: string;
      /** [B, 2] Each picture's first row of `keyValues`, and how many there are, T_b. */
      readonly places: string;
      /** [B, h · P · T], each picture's begin with its [h, P, T_b]. */
      readonly probabilities: string;
      readonly attended: string;
    }
  /** y = a ⊙ b, elementwise. */
  | { readonly operation: 'multiply'; readonly a: string; readonly b: string; readonly y: string }
  /** y = x + positions, in each picture. */
  | { readonly operation: 'add_positions'; readonly x: string; readonly positions: string; readonly y: string }
  /** coarse [B, side, side, 4 C] has squares of 2 × 2 rows of fine [B, 2 side, 2 side, C]. */
  | { readonly operation: 'gather_squares'; readonly fine: string; readonly coarse: string }
  /** y = fine + the rows that the squares of coarse have. */
  | { readonly operation: 'scatter_squares'; readonly fine: string; readonly coarse: string; readonly y: string };

/** The label is from the parameters' names: `down.0.blocks.0.conv`. */
export type DenoiserStep = DenoiserOperation & { readonly label: string };

/** A linear layer of the rows of the conditions. */
export type ContextStep = Extract<DenoiserStep, { operation: 'linear' }>;

export interface DenoiserSchedule {
  readonly tensors: ReadonlyMap<string, DenoiserTensor>;
  readonly contextSteps: readonly ContextStep[];
  readonly steps: readonly DenoiserStep[];
}

/** The schedule's result: the rows of pixels of clean pictures [B, side, side, 16]. */
export const predictedName = 'predicted';

interface Draft {
  readonly config: DenoiserConfig;
  readonly batch: DenoiserBatch;
  readonly parameters: ReadonlyMap<string, readonly number[]>;
  readonly tensors: Map<string, DenoiserTensor>;
  readonly contextSteps: ContextStep[];
  readonly steps: DenoiserStep[];
}

type Role = DenoiserTensor['role'];

/** Names a tensor, and adds it where it is new. */
function tensor({ tensors }: Draft, name: string, shape: readonly number[], role: Role = 'activation'): string {
  const known = tensors.get(name);
  if (known && known.shape.join() !== shape.join())
    throw new Error(`Tensor ${name} is both [${known.shape}] and [${shape}].`);
  if (!known) tensors.set(name, { role, shape, from: [] });
  return name;
}

/** Names a weight of one parameter, or of several of one width, one below the other. */
function weight({ tensors, parameters }: Draft, ...from: readonly string[]): string {
  const shapes = from.map((name) => parameters.get(name)!);
  const rows = shapes.reduce((sum, [N]) => sum + N, 0);
  tensors.set(from[0], { role: 'weight', shape: [rows, ...shapes[0].slice(1)], from });
  return from[0];
}

const affine = (draft: Draft, label: string) => ({
  weight: weight(draft, `${label}.weight`),
  bias: weight(draft, `${label}.bias`),
});

/** Names rows of pixels of a level. */
function pixelRows(draft: Draft, name: string, level: number, C: number, role?: Role): string {
  const side = sideOf(draft.config, level);
  return tensor(draft, name, [draft.batch.pictures, side, side, C], role);
}

const widthOf = ({ config }: Draft, level: number) => config.levels[level].channels;

/** The residual stream of a level takes turns in two tensors. */
const nextStream = (x: string) => (x.endsWith('.0') ? x.replace(/0$/, '1') : x.replace(/1$/, '0'));
const firstStream = (draft: Draft, level: number) => {
  for (const turn of [1, 0]) pixelRows(draft, `stream.${level}.${turn}`, level, widthOf(draft, level));
  return `stream.${level}.0`;
};

/** The time's rows [B, time width], which set the scales of every block. */
function time(draft: Draft): void {
  const { config, batch, steps } = draft;
  const rows = (name: string) => tensor(draft, name, [batch.pictures, config.timeWidth]);
  const waves = tensor(draft, 'waves', [batch.pictures, 2 * timeWaves], 'input');
  for (const [label, x, y] of [
    ['time.0', waves, rows('time.inner')],
    ['time.1', rows('time.inner'), rows('time')],
  ])
    steps.push({ operation: 'linear', label, x, ...affine(draft, label), quickGelu: true, y });
}

/** x + out(QuickGELU(conv(norm(x)))), where the time sets the norm's scale and shift. */
function convolutionBlock(draft: Draft, label: string, level: number, x: string): string {
  const { batch, steps } = draft;
  const C = widthOf(draft, level);
  const scales = tensor(draft, `scales.${level}`, [batch.pictures, 2, C]);
  const normed = pixelRows(draft, `normed.${level}`, level, C);
  const inner = pixelRows(draft, `inner.${level}`, level, C);
  const y = nextStream(x);
  const part = (name: string) => ({ label: `${label}.${name}`, ...affine(draft, `${label}.${name}`) });
  steps.push(
    { operation: 'linear', ...part('modulation'), x: 'time', y: scales },
    { operation: 'modulated_norm', label: `${label}.norm`, x, scales, y: normed },
    { operation: 'convolution', ...part('conv'), x: normed, quickGelu: true, y: inner },
    { operation: 'linear', ...part('out'), x: inner, residual: x, y },
  );
  return y;
}

/** x + out(attention(q, k, v)), with q from norm(x), and k and v of the same rows. */
function selfAttention(draft: Draft, label: string, level: number, x: string): string {
  const { batch, config, steps } = draft;
  const C = widthOf(draft, level);
  const [B, P, h] = [batch.pictures, sideOf(config, level) ** 2, C / config.headDim];
  const normed = pixelRows(draft, `normed.${level}`, level, C);
  const qkv = tensor(draft, `qkv.${level}`, [B, P, 3, h, config.headDim]);
  const attended = pixelRows(draft, `inner.${level}`, level, C);
  const probabilities = tensor(draft, `${label}.probabilities`, [B, h, P, P]);
  const y = nextStream(x);
  const projection = weight(draft, ...['q', 'k', 'v'].map((kind) => `${label}.to_${kind}.weight`));
  const [norm, out] = [`${label}.norm`, `${label}.to_out`];
  steps.push(
    { operation: 'layer_norm', label: norm, x, ...affine(draft, norm), y: normed },
    { operation: 'linear', label: `${label}.to_qkv`, x: normed, weight: projection, bias: null, y: qkv },
    { operation: 'self_attention', label, qkv, probabilities, attended },
    { operation: 'linear', label: out, x: attended, ...affine(draft, out), residual: x, y },
  );
  return y;
}

/** x + out(attention(q, k, v) ⊙ gate(norm(x))), with q from norm(x), and k and v of the picture's condition. */
function crossAttention(draft: Draft, label: string, level: number, x: string): string {
  const { batch, config, contextSteps, steps } = draft;
  const { contexts, contextRows: T } = batch;
  const C = widthOf(draft, level);
  const [B, P, h] = [batch.pictures, sideOf(config, level) ** 2, C / config.headDim];
  const normed = pixelRows(draft, `normed.${level}`, level, C);
  const queries = tensor(draft, `queries.${level}`, [B, P, h, config.headDim]);
  const keyValues = tensor(draft, `${label}.keyValues`, [contexts, T, 2, h, config.headDim]);
  const attended = pixelRows(draft, `inner.${level}`, level, C);
  const gates = pixelRows(draft, `gates.${level}`, level, C);
  const gated = pixelRows(draft, `gated.${level}`, level, C);
  const probabilities = tensor(draft, `${label}.probabilities`, [B, h * P * T]);
  const context = tensor(draft, 'context', [contexts, T, config.contextWidth], 'input');
  const places = tensor(draft, 'places', [B, 2], 'input');
  const y = nextStream(x);
  const kv = weight(draft, `${label}.to_k.weight`, `${label}.to_v.weight`);
  const q = weight(draft, `${label}.to_q.weight`);
  const [norm, gate, out] = [`${label}.norm`, `${label}.to_gate`, `${label}.to_out`];
  contextSteps.push({
    ...{ operation: 'linear', label: `${label}.to_kv` },
    ...{ x: context, weight: kv, bias: null, y: keyValues },
  });
  steps.push(
    { operation: 'layer_norm', label: norm, x, ...affine(draft, norm), y: normed },
    { operation: 'linear', label: `${label}.to_q`, x: normed, weight: q, bias: null, y: queries },
    { operation: 'cross_attention', label, queries, keyValues, places, probabilities, attended },
    { operation: 'linear', label: gate, x: normed, ...affine(draft, gate), y: gates },
    { operation: 'multiply', label: `${label}.gated`, a: attended, b: gates, y: gated },
    { operation: 'linear', label: out, x: gated, ...affine(draft, out), residual: x, y },
  );
  return y;
}

/** x + fc2(QuickGELU(fc1(norm(x)))) */
function mlp(draft: Draft, label: string, level: number, x: string): string {
  const { config, steps } = draft;
  const C = widthOf(draft, level);
  const normed = pixelRows(draft, `normed.${level}`, level, C);
  const inner = pixelRows(draft, `mlp.${level}`, level, config.levels[level].mlp * C);
  const y = nextStream(x);
  const [norm, first, second] = [`${label}.norm`, `${label}.fc1`, `${label}.fc2`];
  steps.push(
    { operation: 'layer_norm', label: norm, x, ...affine(draft, norm), y: normed },
    { operation: 'linear', label: first, x: normed, ...affine(draft, first), quickGelu: true, y: inner },
    { operation: 'linear', label: second, x: inner, ...affine(draft, second), residual: x, y },
  );
  return y;
}

function blocks(draft: Draft, way: 'down' | 'up', level: number, x: string): string {
  const { self, cross, mlp: m } = draft.config.levels[level];
  let stream = x;
  for (const { name } of blockPlaces(draft.config)[way][level]) {
    stream = convolutionBlock(draft, name, level, stream);
    if (self) stream = selfAttention(draft, `${name}.self`, level, stream);
    if (cross) stream = crossAttention(draft, `${name}.cross`, level, stream);
    if (m > 0) stream = mlp(draft, `${name}.mlp`, level, stream);
  }
  return stream;
}

/** A level and all below it: x is its residual stream, and so is what it returns. */
function addLevel(draft: Draft, level: number, x: string): string {
  const { config, steps } = draft;
  const C = widthOf(draft, level);
  const placed = level > 0 ? nextStream(x) : x;
  if (level > 0) {
    const positions = `positions.${level}`;
    steps.push({ operation: 'add_positions', label: positions, x, positions: weight(draft, positions), y: placed });
  }
  const fine = blocks(draft, 'down', level, placed);
  if (level + 1 === config.levels.length) return fine;
  const [down, up] = [`down.${level}.out`, `up.${level}.in`];
  const squares = pixelRows(draft, `squares.${level}`, level + 1, 4 * C);
  const raised = pixelRows(draft, `raised.${level}`, level + 1, 4 * C);
  const into = firstStream(draft, level + 1);
  steps.push(
    { operation: 'gather_squares', label: `down.${level}.squares`, fine, coarse: squares },
    { operation: 'linear', label: down, x: squares, ...affine(draft, down), y: into },
  );
  const below = addLevel(draft, level + 1, into);
  const y = nextStream(fine);
  steps.push(
    { operation: 'linear', label: up, x: below, ...affine(draft, up), y: raised },
    { operation: 'scatter_squares', label: `up.${level}.squares`, fine, coarse: raised, y },
  );
  return blocks(draft, 'up', level, y);
}

/** The denoiser, step by step, for a batch of these sizes. */
export function denoiserSchedule(config: DenoiserConfig, batch: DenoiserBatch): DenoiserSchedule {
  const draft: Draft = {
    ...{ config, batch, parameters: denoiserShapes(config) },
    ...{ tensors: new Map(), contextSteps: [], steps: [] },
  };
  const { steps } = draft;
  time(draft);
  const x = pixelRows(draft, 'pixels', 0, pixelWidth, 'input');
  const first = firstStream(draft, 0);
  steps.push({ operation: 'convolution', label: 'input', x, ...affine(draft, 'input'), quickGelu: false, y: first });
  const last = addLevel(draft, 0, first);
  const normed = pixelRows(draft, 'normed.0', 0, widthOf(draft, 0));
  const y = pixelRows(draft, predictedName, 0, pixelWidth);
  steps.push(
    { operation: 'layer_norm', label: 'output.norm', x: last, ...affine(draft, 'output.norm'), y: normed },
    { operation: 'convolution', label: 'output', x: normed, ...affine(draft, 'output'), quickGelu: false, y },
  );
  return draft;
}
