/**
 * The part that both towers share: pre-LayerNorm layers (eq. 41–47), and the head that turns some rows of their output into features.
 * Sequences of a batch follow each other row by row, and may differ in length. Letters are those of clip/config.ts, and: R rows of
 * all sequences, L_b rows of one, P rows that the head picks, E numbers of a feature.
 */

import {
  type Affine,
  addResidual,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  pickRows,
  pickRowsBackward,
} from './layers.ts';
import { type Parameter, type ParameterSet, parameter } from './parameters.ts';
import type { Floats } from './products.ts';
import type { SelfAttentionSizes, TrainingKernels } from './trainingKernels.ts';

/** Sizes of a tower, with transformers' names. */
export interface TowerConfig {
  readonly hiddenSize: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly layerNormEps: number;
  readonly projectionDim: number;
}

/** Names of a tower's tensors that differ between text and image. */
export interface TowerNames {
  /** Goes before `layers.0.`. */
  readonly layers: string;
  readonly finalNorm: string;
  readonly projection: string;
}

const projections = ['q_proj', 'k_proj', 'v_proj'] as const;

/** Shapes of the tensors of layers and head, by transformers' names. Q, K and V follow each other, so that one product gives all three. */
export function towerShapes(names: TowerNames, config: TowerConfig): [string, readonly number[]][] {
  const { hiddenSize: d, intermediateSize: m, projectionDim: E } = config;
  const shapes: [string, readonly number[]][] = [];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const at = `${names.layers}layers.${layer}.`;
    shapes.push(
      [`${at}layer_norm1.weight`, [d]],
      [`${at}layer_norm1.bias`, [d]],
      ...projections.map((name): [string, number[]] => [`${at}self_attn.${name}.weight`, [d, d]]),
      ...projections.map((name): [string, number[]] => [`${at}self_attn.${name}.bias`, [d]]),
      [`${at}self_attn.out_proj.weight`, [d, d]],
      [`${at}self_attn.out_proj.bias`, [d]],
      [`${at}layer_norm2.weight`, [d]],
      [`${at}layer_norm2.bias`, [d]],
      [`${at}mlp.fc1.weight`, [m, d]],
      [`${at}mlp.fc1.bias`, [m]],
      [`${at}mlp.fc2.weight`, [d, m]],
      [`${at}mlp.fc2.bias`, [d]],
    );
  }
  return [...shapes, [`${names.finalNorm}.weight`, [d]], [`${names.finalNorm}.bias`, [d]], [names.projection, [E, d]]];
}

/** One layer's parameters and what its forward pass leaves for the backward pass. */
interface Layer {
  readonly norm1: Affine;
  readonly qkv: Affine;
  readonly outProj: Affine;
  readonly norm2: Affine;
  readonly fc1: Affine;
  readonly fc2: Affine;
  /** [R, d] */
  readonly input: Floats;
  /** [R, 2] */
  readonly statistics1: Floats;
  /** [R, d] */
  readonly normed1: Floats;
  /** [R, 3, h, dh] */
  readonly heads: Floats;
  /** [h, L_b, L_b] of each sequence, one after the other. */
  readonly probabilities: Floats;
  /** [R, h, dh] */
  readonly attended: Floats;
  /** [R, d], after the first residual sum. */
  readonly middle: Floats;
  /** [R, 2] */
  readonly statistics2: Floats;
  /** [R, d] */
  readonly normed2: Floats;
  /** [R, m] */
  readonly inner: Floats;
  /** [R, m], after QuickGELU. */
  readonly activated: Floats;
}

/** A tower with room for a batch. Arrays may be longer than a batch needs. */
export interface Tower {
  readonly kernels: TrainingKernels;
  readonly config: TowerConfig;
  readonly causal: boolean;
  readonly layers: readonly Layer[];
  /** [R, d], the last layer's output. */
  readonly output: Floats;
  readonly finalNorm: Affine;
  /** [E, d] */
  readonly projection: Parameter;
  /** [P, d] */
  readonly picked: Floats;
  /** [P, 2] */
  readonly statistics: Floats;
  /** [P, d], after the final LayerNorm. */
  readonly pooled: Floats;
  /** [P, E] */
  readonly features: Floats;
  /** Gradients on the way back, which each layer writes over. */
  readonly back: {
    /** [P, d] */
    readonly pooled: Floats;
    /** [P, d] */
    readonly picked: Floats;
    /** [R, d], of the residual stream. */
    readonly stream: Floats;
    /** [R, d] */
    readonly rows: Floats;
    /** [R, 3, h, dh] */
    readonly heads: Floats;
    /** [R, m] */
    readonly inner: Floats;
  };
}

/** Largest batch that a tower has room for: B sequences of L rows. */
export interface TowerRoom {
  readonly B: number;
  readonly L: number;
  /** Rows that the head picks; B unless it says otherwise. */
  readonly P?: number;
}

export function createTower(
  kernels: TrainingKernels,
  parameters: ParameterSet,
  names: TowerNames,
  config: TowerConfig,
  { B, L, P = B }: TowerRoom,
  causal: boolean,
): Tower {
  const { hiddenSize: d, numAttentionHeads: h, intermediateSize: m, projectionDim: E } = config;
  const room = (...shape: number[]) => kernels.allocate(shape.reduce((a, b) => a * b, 1));
  const affine = (name: string): Affine => ({
    weight: parameter(parameters, `${name}.weight`),
    bias: parameter(parameters, `${name}.bias`),
  });
  const layers = Array.from({ length: config.numHiddenLayers }, (_, layer): Layer => {
    const at = `${names.layers}layers.${layer}.`;
    return {
      norm1: affine(`${at}layer_norm1`),
      qkv: {
        weight: parameter(parameters, ...projections.map((name) => `${at}self_attn.${name}.weight`)),
        bias: parameter(parameters, ...projections.map((name) => `${at}self_attn.${name}.bias`)),
      },
      outProj: affine(`${at}self_attn.out_proj`),
      norm2: affine(`${at}layer_norm2`),
      fc1: affine(`${at}mlp.fc1`),
      fc2: affine(`${at}mlp.fc2`),
      input: room(B, L, d),
      statistics1: room(B, L, 2),
      normed1: room(B, L, d),
      heads: room(B, L, 3, d),
      probabilities: room(B, h, L, L),
      attended: room(B, L, d),
      middle: room(B, L, d),
      statistics2: room(B, L, 2),
      normed2: room(B, L, d),
      inner: room(B, L, m),
      activated: room(B, L, m),
    };
  });
  return {
    kernels,
    config,
    causal,
    layers,
    output: room(B, L, d),
    finalNorm: affine(names.finalNorm),
    projection: parameter(parameters, names.projection),
    picked: room(P, d),
    statistics: room(P, 2),
    pooled: room(P, d),
    features: room(P, E),
    back: {
      pooled: room(P, d),
      picked: room(P, d),
      stream: room(B, L, d),
      rows: room(B, L, d),
      heads: room(B, L, 3, d),
      inner: room(B, L, m),
    },
  };
}

/** [R, d], where the embeddings are to be written. */
export function towerInput({ layers, output }: Tower): Floats {
  return layers[0]?.input ?? output;
}

function attentionSizes({ config, causal }: Tower, lengths: ArrayLike<number>): SelfAttentionSizes {
  const { hiddenSize: d, numAttentionHeads: h } = config;
  return { lengths, h, headDim: d / h, causal };
}

/** R, the rows of all sequences. lengths [B] */
export function rowCount(lengths: ArrayLike<number>): number {
  let rows = 0;
  for (let b = 0; b < lengths.length; b++) rows += lengths[b];
  return rows;
}

/** Runs the layers on `towerInput` [R, d] (eq. 41–44, 47). lengths [B] */
export function layersForward(tower: Tower, lengths: ArrayLike<number>): void {
  const { kernels, config, layers } = tower;
  const { hiddenSize: d, intermediateSize: m, layerNormEps: eps } = config;
  const rows = rowCount(lengths);
  const sizes = attentionSizes(tower, lengths);
  for (const [i, layer] of layers.entries()) {
    const y = layers[i + 1]?.input ?? tower.output;
    layerNorm(layer.normed1, layer.statistics1, layer.input, layer.norm1, rows, d, eps);
    linear(kernels, layer.heads, layer.normed1, layer.qkv, rows, d, 3 * d);
    kernels.selfAttention(layer.attended, layer.probabilities, layer.heads, sizes);
    linear(kernels, layer.middle, layer.attended, layer.outProj, rows, d, d);
    addResidual(layer.middle, layer.input, rows * d);
    layerNorm(layer.normed2, layer.statistics2, layer.middle, layer.norm2, rows, d, eps);
    linear(kernels, layer.inner, layer.normed2, layer.fc1, rows, d, m);
    kernels.quickGelu(layer.activated, layer.inner, rows * m);
    linear(kernels, y, layer.activated, layer.fc2, rows, m, d);
    addResidual(y, layer.middle, rows * d);
  }
}

/** Turns `back.stream` [R, d] from the gradient of the output into that of the input. */
export function layersBackward(tower: Tower, lengths: ArrayLike<number>): void {
  const { kernels, config, layers, back } = tower;
  const { hiddenSize: d, intermediateSize: m } = config;
  const rows = rowCount(lengths);
  const sizes = attentionSizes(tower, lengths);
  for (const layer of layers.toReversed()) {
    linearBackward(kernels, back.inner, back.stream, layer.activated, layer.fc2, rows, m, d);
    kernels.quickGeluBackward(back.inner, layer.inner, rows * m);
    linearBackward(kernels, back.rows, back.inner, layer.normed2, layer.fc1, rows, d, m);
    layerNormBackward(back.stream, back.rows, layer.middle, layer.statistics2, layer.norm2, rows, d);
    linearBackward(kernels, back.rows, back.stream, layer.attended, layer.outProj, rows, d, d);
    kernels.selfAttentionBackward(back.heads, back.rows, layer.probabilities, layer.heads, sizes);
    linearBackward(kernels, back.rows, back.heads, layer.normed1, layer.qkv, rows, d, 3 * d);
    layerNormBackward(back.stream, back.rows, layer.input, layer.statistics1, layer.norm1, rows, d);
  }
}

/** Picks rows of the output, normalises them (eq. 48) and projects them. → [P, E], a view that the next batch writes over. */
export function headForward(tower: Tower, picks: ArrayLike<number>): Floats {
  const { kernels, config, finalNorm, projection } = tower;
  const { hiddenSize: d, projectionDim: E, layerNormEps: eps } = config;
  const P = picks.length;
  pickRows(tower.picked, tower.output, picks, d);
  layerNorm(tower.pooled, tower.statistics, tower.picked, finalNorm, P, d, eps);
  kernels.forward(tower.features, tower.pooled, projection.value, null, P, d, E);
  return tower.features.subarray(0, P * E);
}

/** Writes `back.pooled` from dfeatures [P, E], an array of the kernels. */
export function projectionBackward(tower: Tower, dfeatures: Floats, P: number): void {
  const { kernels, config, projection, back } = tower;
  const { hiddenSize: d, projectionDim: E } = config;
  kernels.inputGradient(back.pooled, dfeatures, projection.value, P, d, E);
  kernels.weightGradient(projection.gradient, dfeatures, tower.pooled, P, d, E);
}

/** Takes `back.pooled` [P, d] back to `back.stream` [R, d], through the final LayerNorm and the picking. */
export function poolingBackward(tower: Tower, picks: ArrayLike<number>, rows: number): void {
  const { config, finalNorm, back } = tower;
  const { hiddenSize: d } = config;
  back.picked.fill(0);
  layerNormBackward(back.picked, back.pooled, tower.picked, tower.statistics, finalNorm, picks.length, d);
  pickRowsBackward(back.stream, back.picked, picks, rows, d);
}
