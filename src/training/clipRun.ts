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
import { batchDrawer, createBatch, type WorldBatch } from '../world/worldBatch.ts';
import { type AdamWMoments, createMoments, learningRateAt, openClipAdamW } from './adamW.ts';
import { readCaptions } from './captionBatch.ts';
import {
  type ClipModel,
  type ClipModelConfig,
  clipBackward,
  clipForward,
  clipUpdate,
  createFastClipModel,
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
  /**
   * The run begins with so many steps on scenes of one object, whose captions say everything but the ground. Without them the image
   * tower finds the ground first, which sets most pictures of a batch apart, and then learns nothing for hundreds of steps.
   */
  readonly singleSteps: number;
  /** Pairs of such a step: many small steps find out sooner what to look at than few large ones. */
  readonly singleBatch: number;
  /** The run ends with so many steps of `lastBatch` pairs, among which more are nearly alike. */
  readonly lastSteps: number;
  readonly lastBatch: number;
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
  steps: 4600,
  batch: 64,
  singleSteps: 300,
  singleBatch: 32,
  lastSteps: 1400,
  lastBatch: 128,
  learningRate: 1e-3,
  warmUp: 50,
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

/** A run's parts, in order: `single`, `middle`, `last`. */
type Stage = 'single' | 'middle' | 'last';

/** The stage of a step that counts from 0. */
function stageOf(step: number, { steps, singleSteps, lastSteps }: RunSettings): Stage {
  if (step < singleSteps) return 'single';
  return step < steps - lastSteps ? 'middle' : 'last';
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
    B: Math.max(settings.batch, settings.singleBatch, settings.lastBatch),
    L: contextLength,
  });
  drawParameters(model, settings.seed);
  return {
    settings,
    model,
    moments: createMoments(model.parameters),
    tokenIds,
    rows: createCompactTable(tokenIds, settings.width),
    stages: {
      single: {
        batch: createBatch(settings.singleBatch),
        draw: batchDrawer(tokenizer, { captions: 'objects', count: 1 }),
      },
      middle: { batch: createBatch(settings.batch), draw: batchDrawer(tokenizer) },
      last: { batch: createBatch(settings.lastBatch), draw: batchDrawer(tokenizer) },
    },
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

/** Draws the next batch and learns from it. */
export function trainStep(run: ClipRun): StepNumbers {
  const { settings, model, moments, rows } = run;
  const { batch, draw } = run.stages[stageOf(run.step, settings)];
  draw(batch, createRandom(settings.seed, run.step));
  const pairs = { captions: readCaptions(batch.inputIds, contextLength, rows), pixels: batch.pictures };
  const result = clipForward(model, pairs);
  clipBackward(model, pairs, result);
  const learningRate = learningRateAt(run.step, settings.learningRate, settings.warmUp, settings.steps);
  run.step++;
  const update = { adamW: openClipAdamW, longestGradient };
  const gradientNorm = clipUpdate(model, moments, update, run.step, learningRate);
  const temperature = exp(-model.logScale.value[0]);
  return { step: run.step, loss: result.loss, gradientNorm, learningRate, temperature };
}
