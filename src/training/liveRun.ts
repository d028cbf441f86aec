/**
 * A CLIP so small that a page trains it live: the diagonal of S shows after some seconds on one core. Its run is by seed and step, as
 * that of clipRun.ts, but has no end, and some of its settings may change while it runs.
 */

import type { CompactTable } from '../clip/weights.ts';
import { compileKernels } from '../cpu/kernels.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { log } from '../models/elementary.ts';
import { createRandom } from '../models/seededRandom.ts';
import { createCompactTable } from '../models/tokenTable.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { worldTokenIds } from '../world/captionIds.ts';
import { batchDrawer, type CaptionStyle, createBatch, type WorldBatch } from '../world/worldBatch.ts';
import { type AdamWMoments, createMoments, openClipAdamW } from './adamW.ts';
import { readParameters } from './clipFile.ts';
import {
  type ClipModel,
  clipBackward,
  clipForward,
  clipUpdate,
  createFastClipModel,
  logScaleName,
} from './clipModel.ts';
import { defaultRun, longestGradient, type ModelSizes, pairsOf, runModelConfig } from './clipRun.ts';
import { drawParameters } from './initialParameters.ts';
import { clipLoss, type Objective, type ObjectiveName } from './objective.ts';

/** Sizes that were measured to be quick to learn: 0.18 M parameters, some 35 ms of one core for a step of 32 pairs. */
export const liveSizes: ModelSizes = {
  ...{ width: 64, layers: 2, heads: 4 },
  ...{ imageWidth: 64, imageLayers: 2, imageHeads: 4 },
  ...{ patch: 8, mlpRatio: 2, embedding: 64 },
};

/** Settings that a run begins with, and keeps. */
export interface LiveSettings {
  /** 0 … 2³¹ − 1. */
  readonly seed: number;
  /** N, pairs of a step. */
  readonly batch: number;
  readonly objective: ObjectiveName;
  readonly captions: Extract<CaptionStyle, 'brief' | 'training'>;
  /** Random parameters, or those of the model that comes with the page, which has CLIP's objective. */
  readonly from: 'scratch' | 'shipped';
}

/** Towers that learn. */
export type TrainedSide = 'both' | 'text' | 'image';

/** Settings that each step may have its own of. */
export interface LiveKnobs {
  readonly learningRate: number;
  readonly side: TrainedSide;
  /** τ is learned, stays as it is, or is held at a number. */
  readonly temperature: 'learned' | 'frozen' | number;
}

export interface LiveRun {
  readonly settings: LiveSettings;
  readonly model: ClipModel;
  readonly moments: AdamWMoments;
  readonly rows: CompactTable;
  readonly draw: ReturnType<typeof batchDrawer>;
  /** The batch of the last step; filled again by each. */
  readonly batch: WorldBatch;
  /** A batch that is never learned from, to look at. */
  readonly watched: WorldBatch;
  /** Steps that are done. */
  step: number;
}

/** The first steps' learning rate rises in a straight line. */
const warmUp = 20;

/** Above all numbers of steps, so that the batch to look at is none that a step learns from. */
const watchedStream = 0xffffffff;

/** Starts a run from a trained model, whose sizes and words are those of a full run. Rejects as `readParameters` does. */
export async function goOnLive(settings: LiveSettings, tokenizer: Tokenizer, file: TensorFile): Promise<LiveRun> {
  const run = await startLive(settings, tokenizer, defaultRun);
  await readParameters(file, run.model.config, run.model.parameters);
  return run;
}

/** Starts a run with random parameters. Rejects with CpuError where there is not enough memory for the batch. */
export async function startLive(
  settings: LiveSettings,
  tokenizer: Tokenizer,
  sizes: ModelSizes = liveSizes,
): Promise<LiveRun> {
  const tokenIds = worldTokenIds(tokenizer);
  const config = { ...runModelConfig(sizes, tokenIds.length), objective: settings.objective };
  const room = { B: settings.batch, L: contextLength };
  const model = await createFastClipModel(await compileKernels(false), config, room);
  drawParameters(model, settings.seed);
  const draw = batchDrawer(tokenizer, { captions: settings.captions });
  const watched = createBatch(settings.batch);
  draw(watched, createRandom(settings.seed, watchedStream));
  return {
    ...{ settings, model, draw, watched },
    moments: createMoments(model.parameters),
    rows: createCompactTable(tokenIds, sizes.width),
    batch: createBatch(settings.batch),
    step: 0,
  };
}

/** The objective of the batch to look at, with the model as it is; learns nothing. */
export const watch = (run: LiveRun): Objective => clipForward(run.model, pairsOf(run.rows, run.watched));

/** Numbers of one step. */
export interface LiveStep {
  /** Counts from 1. */
  readonly step: number;
  readonly loss: number;
  /** The mean probability of the right picture for a caption, and of the right caption for a picture: 1 / N by chance. */
  readonly diagonal: number;
  /** −ln τ and SigLIP's bias, before the step. */
  readonly logScale: number;
  readonly bias: number;
  /** Gradient of −ln τ: where it is negative, the step would sharpen. */
  readonly dlogScale: number;
  /** Norm of the gradient before it was clipped. */
  readonly gradientNorm: number;
}

/** The mean probability of the diagonal of S [N, N], both ways. SigLIP's bias moves no softmax. */
export function diagonalProbability({ S, clip }: Pick<Objective, 'S' | 'clip'>): number {
  const N = Math.sqrt(S.length);
  const { textToImage, imageToText } = clip ?? clipLoss(S, N);
  let sum = 0;
  for (let at = 0; at < S.length; at += N + 1) sum += textToImage.probabilities[at] + imageToText.probabilities[at];
  return sum / (2 * N);
}

const isOfSide = (name: string, side: 'text' | 'image') =>
  side === 'text' ? name.startsWith('text_') : name.startsWith('vis');

/** Draws the next batch and learns from it. */
export function liveStep(run: LiveRun, { learningRate, side, temperature }: LiveKnobs) {
  const { settings, model, moments, batch, draw } = run;
  draw(batch, createRandom(settings.seed, run.step));
  if (typeof temperature === 'number') model.logScale.value[0] = -log(temperature);
  const pairs = pairsOf(run.rows, batch);
  const objective = clipForward(model, pairs);
  clipBackward(model, pairs, objective);
  const [logScale, bias] = [model.logScale.value[0], model.logitBias?.value[0] ?? 0];
  const isFrozen = (name: string) =>
    name === logScaleName
      ? temperature !== 'learned'
      : side !== 'both' && isOfSide(name, side === 'text' ? 'image' : 'text');
  run.step++;
  const rate = learningRate * Math.min(1, run.step / warmUp);
  const update = { adamW: openClipAdamW, longestGradient, isFrozen };
  const gradientNorm = clipUpdate(model, moments, update, run.step, rate);
  const { loss, dlogScale } = objective;
  const numbers: LiveStep = {
    ...{ step: run.step, loss, logScale, bias, dlogScale, gradientNorm },
    diagonal: diagonalProbability(objective),
  };
  return { numbers, objective };
}
