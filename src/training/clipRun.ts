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
import { type AdamWMoments, createMoments, forgetMoments, learningRateAt, openClipAdamW } from './adamW.ts';
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
import { roundToFloat16 } from './parameters.ts';
import type { RunState } from './runCheckpoint.ts';

/** Everything that decides the bits of a trained model. */
export interface RunSettings extends ModelSizes {
  /** 0 … 2³¹ − 1. */
  readonly seed: number;
  /** Steps of the whole run: the learning rate falls to 0 at the last. */
  readonly steps: number;
  /** Pairs of a step. */
  readonly batch: number;
  /** The run begins with so many steps of the stage `plain`. */
  readonly plainSteps: number;
  /** Then come so many of `single`. */
  readonly singleSteps: number;
  /** Then come so many of `whole`, after which `pair` is learned sooner. */
  readonly lookSteps: number;
  /** Then so many of `pair`. */
  readonly pairSteps: number;
  /** Then so many of `whole`, in which the words of everything are learned. */
  readonly wordSteps: number;
  /** Then so many of `bind`. */
  readonly bindSteps: number;
  /** Then so many of `whole`, and all others of the first part are of `close`. */
  readonly wholeSteps: number;
  /** Steps of the second part, in which the learning rate rises and falls once more: `alike`, then `again`. */
  readonly againSteps: number;
  /** Steps of `alike`. */
  readonly alikeSteps: number;
  /** Steps of the third part, with a rise and fall of its own: `close`. */
  readonly lastSteps: number;
  /** Steps of the fourth part, in which the text encoder stays as it is, with a rise and fall of its own: `again`. */
  readonly tuneSteps: number;
  /** Steps of the fifth part, on everything, from what a file of the steps before them holds. */
  readonly polishSteps: number;
  /** Steps of the sixth part, from what a file of those before them holds: so many of `turn`, then of `every`. */
  readonly turnSteps: number;
  readonly everySteps: number;
  /** Last steps, of `fit`, from what a file of those before them holds. */
  readonly fitSteps: number;
  /** Pairs of a step of `pair`, `alike` and `turn`: many small steps find out sooner what belongs together than few large ones. */
  readonly pairBatch: number;
  readonly learningRate: number;
  /** Steps in which the learning rate rises. */
  readonly warmUp: number;
  /** The highest learning rates of the second part and those after it. */
  readonly againRate: number;
  readonly lastRate: number;
  readonly tuneRate: number;
  readonly polishRate: number;
  readonly turnRate: number;
  readonly fitRate: number;
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
  steps: 29000,
  batch: 64,
  plainSteps: 600,
  singleSteps: 1200,
  lookSteps: 130,
  pairSteps: 570,
  wordSteps: 864,
  bindSteps: 986,
  wholeSteps: 896,
  againSteps: 3000,
  alikeSteps: 1000,
  lastSteps: 800,
  tuneSteps: 2500,
  polishSteps: 3500,
  turnSteps: 150,
  everySteps: 3050,
  fitSteps: 6000,
  pairBatch: 32,
  learningRate: 1e-3,
  warmUp: 100,
  againRate: 7e-4,
  lastRate: 3e-4,
  tuneRate: 4e-4,
  polishRate: 4e-4,
  turnRate: 5e-4,
  fitRate: 4e-4,
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

/** Most of everything is drawn in families, and a third of the captions are lessons. */
const inFamilies = { twins: true, familyShare: 0.75, lessonShare: 0.35 } as const;

/**
 * The stages of a run, and what they draw.
 *
 * - `plain`: one black object on a light ground, of which the caption says everything. A patch then shows a piece of the shape itself.
 *   With colours from the start it shows it by a contrast that is another one in each picture, and the image tower tells shapes
 *   apart only after ten times as many steps.
 * - `single`: one object in any colour; three in ten stay plain. With scenes of two objects from the start the image tower finds the
 *   ground first, which sets most pictures of a batch apart, and then learns nothing for hundreds of steps.
 * - `pair`: two objects with their colours, shapes and relation, and each scene's twin: the same words, but for which of them belong
 *   together. Without twins a model learns the words alone, as these tell all scenes of a batch apart.
 * - `bind`: two objects and everything about them, all with twins. Words alone no longer tell a batch apart here, and what belongs
 *   together is learned within 500 steps, as each word has a meaning already.
 * - `whole`: everything, most of it in families, so that each attribute is needed to tell a batch apart. A third of the captions are still
 *   those of `pair`: without them the pictures of twins become alike again within 300 steps.
 * - `close`: the same, and siblings have their twins beside them, too.
 * - `alike`: pairs of one colour with their twins. Where colours tell which object is where, nothing else is asked, and a model that knows
 *   all relations of a red and a blue object guesses those of two red ones.
 * - `again`: as `close`, and a third of the pairs are of one colour.
 * - `turn`: pairs in plain words, most of them with the same pair turned, so that what was left is above. A model that sees twins mirrored and
 *   never turned learns one direction, from the upper left to the lower right, for both "left" and "above".
 * - `every`: as `again`, with twins of all kinds.
 * - `fit`: the same, with fewer that are turned and fewer in plain words: colours swapped are what comes back last.
 */
const stageDraws = {
  plain: { captions: 'objects', count: 1, plainShare: 1 },
  single: { captions: 'objects', count: 1, plainShare: 0.3 },
  pair: { count: 2, twins: true, lessonShare: 1, plainShare: 0.15 },
  bind: { count: 2, twins: true, lessonShare: 0.6, plainShare: 0.15 },
  whole: { ...inFamilies, plainShare: 0.15 },
  close: { ...inFamilies, siblingTwins: true, plainShare: 0.15 },
  alike: { count: 2, twins: true, lessonShare: 1, plainShare: 0.15, oneColourShare: 1 },
  again: { ...inFamilies, siblingTwins: true, plainShare: 0.1, oneColourShare: 0.33 },
  turn: { count: 2, twins: true, turnShare: 0.7, lessonShare: 1, plainShare: 0.15, oneColourShare: 0.2 },
  every: { ...inFamilies, siblingTwins: true, turnShare: 0.4, plainShare: 0.1, oneColourShare: 0.33 },
  fit: {
    ...{ twins: true, familyShare: 0.75, siblingTwins: true, turnShare: 0.15 },
    ...{ lessonShare: 0.15, plainShare: 0.05, oneColourShare: 0.15 },
  },
} as const satisfies Readonly<Record<string, DrawOptions>>;

type Stage = keyof typeof stageDraws;
const stageNames = Object.keys(stageDraws) as Stage[];

/** Stages in plain words alone have smaller batches. */
const isPlainWorded = (draws: DrawOptions) => draws.lessonShare === 1;

/** The stages of the first part in their order, with their steps; what comes after them is of `close`. */
const orderOf = (settings: RunSettings): readonly (readonly [Stage, number])[] => [
  ['plain', settings.plainSteps],
  ['single', settings.singleSteps],
  ['whole', settings.lookSteps],
  ['pair', settings.pairSteps],
  ['whole', settings.wordSteps],
  ['bind', settings.bindSteps],
  ['whole', settings.wholeSteps],
];

/** The stage of a step of the first part, which counts from 0. */
function firstStageOf(step: number, settings: RunSettings): Stage {
  let end = 0;
  for (const [stage, steps] of orderOf(settings)) {
    end += steps;
    if (step < end) return stage;
  }
  return 'close';
}

const isOfTextEncoder = (name: string) => name.startsWith('text_model.');

/** A part of a run, over which the learning rate rises and falls once. Its steps count from 0. */
interface Part {
  readonly steps: number;
  readonly highestRate: number;
  readonly stageOf: (step: number) => Stage;
  /** Only the image tower, both projections and the temperature learn, so that a denoiser of the text encoder's rows stays right. */
  readonly isTextFrozen?: boolean;
  /** It begins from the parameters as a file of float16 holds them, and without moments: so a trained model can be trained on. */
  readonly isAfresh?: boolean;
}

/** The seven parts of a run in their order. */
function partsOf(settings: RunSettings): readonly Part[] {
  const { steps, againSteps, alikeSteps, lastSteps, tuneSteps, polishSteps, turnSteps, everySteps, fitSteps } =
    settings;
  const { learningRate, againRate, lastRate, tuneRate, polishRate, turnRate, fitRate } = settings;
  const later: readonly Part[] = [
    { steps: againSteps, highestRate: againRate, stageOf: (step) => (step < alikeSteps ? 'alike' : 'again') },
    { steps: lastSteps, highestRate: lastRate, stageOf: () => 'close' },
    { steps: tuneSteps, highestRate: tuneRate, stageOf: () => 'again', isTextFrozen: true },
    { steps: polishSteps, highestRate: polishRate, stageOf: () => 'again', isAfresh: true },
    {
      steps: turnSteps + everySteps,
      highestRate: turnRate,
      stageOf: (step) => (step < turnSteps ? 'turn' : 'every'),
      isAfresh: true,
    },
    { steps: fitSteps, highestRate: fitRate, stageOf: () => 'fit', isAfresh: true },
  ];
  const firstSteps = Math.max(0, steps - later.reduce((sum, part) => sum + part.steps, 0));
  return [{ steps: firstSteps, highestRate: learningRate, stageOf: (step) => firstStageOf(step, settings) }, ...later];
}

/** Steps of the first part after its named stages. */
export function closeSteps(settings: RunSettings): number {
  const named = orderOf(settings).reduce((sum, [, steps]) => sum + steps, 0);
  return Math.max(0, partsOf(settings)[0].steps - named);
}

/** Finds the part of a step, which counts from 0, and the step's place in it. Steps after the last part count on in it. */
function partAt(step: number, settings: RunSettings): readonly [Part, number] {
  const parts = partsOf(settings);
  let at = step;
  for (const part of parts.slice(0, -1)) {
    if (at < part.steps) return [part, at];
    at -= part.steps;
  }
  return [parts[parts.length - 1], at];
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
    B: Math.max(settings.batch, settings.pairBatch),
    L: contextLength,
  });
  drawParameters(model, settings.seed);
  const source = (stage: Stage): PairSource => ({
    batch: createBatch(isPlainWorded(stageDraws[stage]) ? settings.pairBatch : settings.batch),
    draw: batchDrawer(tokenizer, stageDraws[stage]),
  });
  return {
    settings,
    model,
    moments: createMoments(model.parameters),
    tokenIds,
    rows: createCompactTable(tokenIds, settings.width),
    stages: Object.fromEntries(stageNames.map((stage) => [stage, source(stage)])) as ClipRun['stages'],
    step: 0,
  };
}

/** Says what a checkpoint keeps of a run, by the names of its tensors. */
export const clipCheckpoint = ({ settings, step, model, moments }: ClipRun): RunState => ({
  settings,
  step,
  arrays: {
    parameters: model.parameters.values,
    first_moments: moments.first,
    second_moments: moments.second,
  },
});

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

/** Rounds all parameters to float16, and forgets the moments. */
function beginAfresh({ model: { parameters }, moments }: ClipRun): void {
  roundToFloat16(parameters.values);
  forgetMoments(moments);
}

/** Draws the next batch and learns from it. */
export function trainStep(run: ClipRun): StepNumbers {
  const { settings, model, moments, rows } = run;
  const [part, at] = partAt(run.step, settings);
  if (part.isAfresh && at === 0) beginAfresh(run);
  const learningRate = learningRateAt(at, part.highestRate, settings.warmUp, part.steps);
  const { batch, draw } = run.stages[part.stageOf(at)];
  draw(batch, createRandom(settings.seed, run.step));
  const pairs = pairsOf(rows, batch);
  const result = clipForward(model, pairs);
  clipBackward(model, pairs, result);
  run.step++;
  const isFrozen = part.isTextFrozen ? isOfTextEncoder : undefined;
  const update = { adamW: openClipAdamW, longestGradient, isFrozen };
  const gradientNorm = clipUpdate(model, moments, update, run.step, learningRate);
  const temperature = exp(-model.logScale.value[0]);
  return { step: run.step, loss: result.loss, gradientNorm, learningRate, temperature };
}
