/**
 * A training run of CLIP on the small world, from a seed on. Each step draws its own batch by the seed and its number, so that a run
 * goes on from any step as if it had never stopped.
 */

import type { CompactTable } from '../clip/weights.ts';
import { compileKernels } from '../cpu/kernels.ts';
import { exp } from '../models/elementary.ts';
import { createRandom } from '../models/seededRandom.ts';
import { createCompactTable } from '../models/tokenTable.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { worldTokenIds } from '../world/captionIds.ts';
import { pictureSize } from '../world/render.ts';
import { batchDrawer, createBatch, type DrawOptions, type WorldBatch } from '../world/worldBatch.ts';
import { type AdamWMoments, createMoments, learningRateAt, openClipAdamW } from './adamW.ts';
import { readCaptions } from './captionBatch.ts';
import {
  type ClipModel,
  type ClipModelConfig,
  clipBackward,
  clipForward,
  clipUpdate,
  createFastClipModel,
  type PairBatch,
} from './clipModel.ts';
import { drawParameters } from './initialParameters.ts';

/** Everything that decides the bits of a trained model. */
export interface RunSettings extends ModelSizes {
  /** 0 … 2³¹ − 1. */
  readonly seed: number;
  /** Steps of the whole run: the learning rate falls to 0 at the last. */
  readonly steps: number;
  /** Pairs of a step. */
  readonly batch: number;
  /** The run begins with so many steps of the stage `single`. */
  readonly singleSteps: number;
  /** Then come so many of `whole`, after which `pair` is learned sooner. */
  readonly lookSteps: number;
  /** Then so many of `pair`, and all others are of `whole`. */
  readonly pairSteps: number;
  /** Pairs of a step of `single` and `pair`: many small steps find out sooner what to look at than few large ones. */
  readonly firstBatch: number;
  readonly learningRate: number;
  /** Steps in which the learning rate rises. */
  readonly warmUp: number;
}

/** Sizes of a model. */
export interface ModelSizes {
  /** Text tower: numbers of a row, layers, heads of attention. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly imageWidth: number;
  readonly imageLayers: number;
  readonly imageHeads: number;
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** Rows inside an MLP are so many times wider than outside, in both towers. */
  readonly mlpRatio: number;
  /** Numbers of a feature row. */
  readonly embedding: number;
}

/** A text tower whose heads look like the big one's, and an image tower; as float16, both are less than 3 MB. */
export const defaultRun: RunSettings = {
  seed: 1,
  steps: 5000,
  batch: 64,
  singleSteps: 300,
  lookSteps: 130,
  pairSteps: 570,
  firstBatch: 32,
  learningRate: 1e-3,
  warmUp: 100,
  width: 128,
  layers: 6,
  heads: 4,
  imageWidth: 96,
  imageLayers: 4,
  imageHeads: 3,
  patch: 5,
  mlpRatio: 2,
  embedding: 128,
};

/** Longest gradient of a step, as open_clip's recipes clip it. */
export const longestGradient = 1;

/** Sizes of a model whose token table has `vocabSize` rows. */
export function runModelConfig(sizes: ModelSizes, vocabSize: number): ClipModelConfig {
  const { width, heads, layers, imageWidth, imageHeads, imageLayers, patch, mlpRatio, embedding } = sizes;
  const tower = (hiddenSize: number, numAttentionHeads: number, numHiddenLayers: number) => ({
    hiddenSize,
    numAttentionHeads,
    numHiddenLayers,
    intermediateSize: mlpRatio * hiddenSize,
    layerNormEps: 1e-5,
    projectionDim: embedding,
  });
  return {
    objective: 'clip',
    text: {
      ...tower(width, heads, layers),
      headDim: width / heads,
      vocabSize,
      maxPositionEmbeddings: contextLength,
    },
    image: {
      ...tower(imageWidth, imageHeads, imageLayers),
      imageSize: pictureSize,
      numChannels: 3,
      patchSize: patch,
    },
  };
}

/**
 * The stages of a run, and what they draw.
 *
 * - `single`: one object, of which the caption says everything. With scenes of all kinds from the start the image tower finds the
 *   ground first, which sets most pictures of a batch apart, and then learns nothing for hundreds of steps.
 * - `pair`: two objects with their colours, shapes and relation, and each scene's twin: the same words, but for which of them belong
 *   together. Without twins a model learns the words alone, as these tell all scenes of a batch apart.
 * - `whole`: everything, with twins. Half of the captions are still those of `pair`: without them the pictures of twins become alike
 *   again within 300 steps.
 */
const stageDraws = {
  single: { captions: 'objects', count: 1, lessonShare: 0 },
  pair: { count: 2, twins: true, lessonShare: 1 },
  whole: { twins: true, lessonShare: 0.5 },
} as const satisfies Readonly<Record<string, DrawOptions>>;

type Stage = keyof typeof stageDraws;

/** The stage of a step that counts from 0. */
function stageOf(step: number, { singleSteps, lookSteps, pairSteps }: RunSettings): Stage {
  if (step < singleSteps) return 'single';
  const since = step - singleSteps - lookSteps;
  return since >= 0 && since < pairSteps ? 'pair' : 'whole';
}

/** Draws pairs into a batch of its own, which each draw fills again. */
interface PairSource {
  readonly batch: WorldBatch;
  readonly draw: ReturnType<typeof batchDrawer>;
}

export interface ClipRun {
  readonly settings: RunSettings;
  readonly model: ClipModel;
  readonly moments: AdamWMoments;
  readonly tokenIds: Uint32Array;
  readonly rows: CompactTable;
  readonly stages: Readonly<Record<Stage, PairSource>>;
  /** Steps that are done. */
  step: number;
}

/** Starts a run with random parameters. Rejects with CpuError where there is not enough memory for the batch. */
export async function startRun(settings: RunSettings, tokenizer: Tokenizer): Promise<ClipRun> {
  const tokenIds = worldTokenIds(tokenizer);
  const config = runModelConfig(settings, tokenIds.length);
  const model = await createFastClipModel(await compileKernels(false), config, {
    B: Math.max(settings.batch, settings.firstBatch),
    L: contextLength,
  });
  drawParameters(model, settings.seed);
  const source = (stage: Stage): PairSource => ({
    batch: createBatch(stage === 'whole' ? settings.batch : settings.firstBatch),
    draw: batchDrawer(tokenizer, stageDraws[stage]),
  });
  return {
    settings,
    model,
    moments: createMoments(model.parameters),
    tokenIds,
    rows: createCompactTable(tokenIds, settings.width),
    stages: { single: source('single'), pair: source('pair'), whole: source('whole') },
    step: 0,
  };
}

/** Numbers of one step. */
export interface StepNumbers {
  /** Counts from 1. */
  readonly step: number;
  readonly loss: number;
  /** Norm of the gradient before it was clipped. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** After the step. */
  readonly temperature: number;
}

/** Reads a batch for a model whose token table has these rows. */
export const pairsOf = (rows: CompactTable, { inputIds, pictures }: WorldBatch): PairBatch => ({
  captions: readCaptions(inputIds, contextLength, rows),
  pixels: pictures,
});

/** Draws the next batch and learns from it. */
export function trainStep(run: ClipRun): StepNumbers {
  const { settings, model, moments, rows } = run;
  const { batch, draw } = run.stages[stageOf(run.step, settings)];
  draw(batch, createRandom(settings.seed, run.step));
  const pairs = pairsOf(rows, batch);
  const result = clipForward(model, pairs);
  clipBackward(model, pairs, result);
  const learningRate = learningRateAt(run.step, settings.learningRate, settings.warmUp, settings.steps);
  run.step++;
  const update = { adamW: openClipAdamW, longestGradient };
  const gradientNorm = clipUpdate(model, moments, update, run.step, learningRate);
  const temperature = exp(-model.logScale.value[0]);
  return { step: run.step, loss: result.loss, gradientNorm, learningRate, temperature };
}
