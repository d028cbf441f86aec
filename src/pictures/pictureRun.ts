/**
 * A training run of the denoiser on the small world, from a seed on, with a text encoder that stays as it is. Each step draws what it
 * needs by the seed and its number, so that a run goes on from any step as if it had never stopped.
 */

import type { CompiledKernels } from '../cpu/kernels.ts';
import { createRandom, normal, type Random } from '../models/seededRandom.ts';
import { contextLength, eosTokenId } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import {
  type AdamWMoments,
  type AdamWSettings,
  adamWStep,
  clipFactor,
  createMoments,
  forgetMoments,
  gradientNorm,
} from '../training/adamW.ts';
import { createMuon, drawDirections, followDirections, type Muon, type MuonSettings } from '../training/muon.ts';
import { roundToFloat16 } from '../training/parameters.ts';
import type { Floats, Products } from '../training/products.ts';
import type { RunState } from '../training/runCheckpoint.ts';
import { countFloats } from '../training/wasmKernels.ts';
import { writeInputIds } from '../world/captionIds.ts';
import { eachCovered, pictureSize } from '../world/render.ts';
import { batchDrawer, createBatch, type DrawOptions, type WorldBatch } from '../world/worldBatch.ts';
import type { Denoiser } from './denoiser.ts';
import { type DenoiserConfig, denoiserShapes } from './denoiserConfig.ts';
import { drawDenoiser } from './denoiserStart.ts';
import { drawnLength, withCover } from './drawnPicture.ts';
import { mixNoise } from './flowMatching.ts';
import { phraseRows } from './phraseRows.ts';
import type { PromptReader } from './promptReader.ts';
import { coversLength, meanOfParts, type SharedBatch, type SharedWork, sharedBatch, shareWork } from './sharedBatch.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

/** Everything that decides the bits of a trained denoiser, but for the text encoder. */
export interface PictureSettings {
  /** 0 … 2³¹ − 1. */
  readonly seed: number;
  /** Steps of the whole run, which has three parts: in the last 2 / 5 of each the learning rate falls to 0. */
  readonly steps: number;
  /** Pictures of a step, a multiple of `partPictures`. */
  readonly batch: number;
  /** First steps, on large filled objects in plain words. */
  readonly boldSteps: number;
  /** Then so many in which ever more scenes are of any kind; all others are. */
  readonly blendSteps: number;
  /** Steps that a scene takes part in, each time with other noise: its caption is read once. `batch` is a multiple of it. */
  readonly repeats: number;
  readonly learningRate: number;
  /** Steps of the second part: it begins from what a file of the first holds, so that a trained denoiser can be trained on. */
  readonly againSteps: number;
  readonly againRate: number;
  /** Steps of the third part, which begins in the same way: plain captions say sizes, and their words learn to point. */
  readonly pointSteps: number;
  readonly pointRate: number;
  /** Weight of the grounding loss of a layer in the third part. */
  readonly grounding: number;
  /**
   * Share of what the third part came to in the trained denoiser; the rest is what that part began from. Source: Wortsman et al. 2022, Robust
   * fine-tuning of zero-shot models.
   */
  readonly pointShare: number;
  /** Steps in which the learning rate of a part rises. */
  readonly warmUp: number;
  /** Numbers of a row at each level, and how many blocks there are on the way down and up. */
  readonly width0: number;
  readonly down0: number;
  readonly up0: number;
  readonly width1: number;
  readonly down1: number;
  readonly up1: number;
  /** Whether the blocks there look at their own picture: 1 or 0. */
  readonly self1: number;
  readonly width2: number;
  readonly blocks2: number;
  /** Width inside the MLPs of the middle and the lower level, in widths of a row. */
  readonly mlp: number;
}

export const defaultPictureRun: PictureSettings = {
  seed: 1,
  steps: 21000,
  batch: 32,
  boldSteps: 1500,
  blendSteps: 2000,
  repeats: 4,
  learningRate: 6e-3,
  againSteps: 8000,
  againRate: 3e-3,
  pointSteps: 5000,
  pointRate: 3e-3,
  grounding: 0.1,
  pointShare: 0.3,
  warmUp: 100,
  width0: 32,
  down0: 1,
  up0: 2,
  width1: 96,
  down1: 2,
  up1: 2,
  self1: 1,
  width2: 128,
  blocks2: 2,
  mlp: 4,
};

/** Pictures of a part of a batch, whose gradients are summed apart from those of the others. */
export const partPictures = 4;

/** Columns of a head of attention. */
const headDim = 32;
const timeWidth = 64;

/** Sizes of a run's denoiser, which looks at rows of `contextWidth` numbers. */
export function pictureModelConfig(settings: PictureSettings, contextWidth: number): DenoiserConfig {
  const { width0, down0, up0, width1, down1, up1, self1, width2, blocks2, mlp } = settings;
  return {
    ...{ pictureSize, contextWidth, timeWidth, headDim },
    levels: [
      { channels: width0, down: down0, up: up0, self: false, cross: false, mlp: 0 },
      { channels: width1, down: down1, up: up1, self: self1 === 1, cross: true, mlp },
      { channels: width2, down: blocks2, up: 0, self: true, cross: true, mlp },
    ],
  };
}

const adamW: AdamWSettings = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01 };
const muonSettings: MuonSettings = { momentum: 0.95, weightDecay: 0.01 };
const longestGradient = 1;
/** Share of the average of the parameters that stays in a step. */
export const averaging = 0.999;

/** Layers between the first and the last, but for the time's, learn by Muon, all else by AdamW. */
const isMatrix = (name: string) => /^(down|up)\..*(conv|out|in|to_[qkv]|to_gate|to_out|fc[12])\.weight$/.test(name);

/**
 * Share of a part, its last, in which the learning rate falls. At the full rate the steps are noisy: after 4,600 of them the parameters drew
 * 0.09 of 32 captions right, their average 0.16.
 */
const fallingShare = 0.4;

/** The part of a step, which counts from 0: its steps, the highest learning rate, and the step's place in it. */
function partAt(settings: PictureSettings, step: number) {
  const { steps, againSteps, pointSteps, learningRate, againRate, pointRate } = settings;
  const [third, second] = [steps - pointSteps, steps - pointSteps - againSteps];
  if (step >= third) return { name: 'point', steps: pointSteps, highestRate: pointRate, at: step - third } as const;
  if (step >= second) return { name: 'again', steps: againSteps, highestRate: againRate, at: step - second } as const;
  return { name: 'first', steps: second, highestRate: learningRate, at: step } as const;
}

/** Learning rate of a step: rises over `warmUp` steps, stays, and falls to 0. Up to there a longer part is the same. */
function rateOf(settings: PictureSettings, step: number): number {
  const { steps, highestRate, at } = partAt(settings, step);
  return highestRate * Math.min(1, (at + 1) / settings.warmUp, (steps - at) / (fallingShare * steps));
}

/** Ratio of clean to noise, (1 − t) / t, at the median of the times that a run draws. */
const medianRatio = 0.35;

/**
 * Ratio at the median of every third time. Where objects are, how many, and which is which, is decided with more noise than what shapes they
 * have: a run of 5,750 steps without such times drew clear shapes, but often three objects for one.
 */
const noisyRatio = 0.08;

/**
 * Turns an even share u, 0 … 1, into a time. Times are drawn most often where a picture's shapes are decided: with less noise they can be
 * seen, with more of it not even their places. Even times need twice as many steps. Source: the logistic distribution of ln(t / (1 − t)) of
 * scale ½, after the log-normal one of Esser et al. 2024, Scaling Rectified Flow Transformers.
 */
export function timeOf(u: number, ratio = medianRatio): number {
  const noise = Math.sqrt(u);
  return noise / (noise + ratio * Math.sqrt(1 - u));
}

/** Share of captions that are replaced by the empty prompt, so that guidance has its other side. */
const emptyShare = 0.1;

/** Says what scenes of a kind are, and what is left out of their captions. */
interface Kind {
  readonly draw: DrawOptions;
  /**
   * Shares of a caption's rows that are replaced by the empty prompt's: of words one by one, of all from EOS on together. A word's meaning
   * is in all later rows as well; where these are often missing, the word's own row is looked at, and its weight then acts.
   */
  readonly dropped: { readonly word: number; readonly rest: number };
}

/**
 * Large filled objects come first: where sizes, fillings and wordings differ as well, the shape of an object is so small a part of the error that
 * 3,359 steps on everything did not teach to look at its word. Six in ten are pairs: a denoiser that knows single ones alone does not learn
 * which of two is where within 400 steps, in which one that begins with pairs learns it from nothing. 3,400 steps in which all are `whole`
 * made it draw both of two in one colour again: a second part draws each kind equally often.
 */
export const kinds = {
  bold: { draw: { captions: 'brief', plainShare: 0.2, bold: true }, dropped: { word: 0, rest: 0.3 } },
  told: { draw: { captions: 'complete', plainShare: 0.1 }, dropped: { word: 0, rest: 0.5 } },
  whole: { draw: { plainShare: 0.1, outlinesSaid: true }, dropped: { word: 0.1, rest: 0.5 } },
  sized: { draw: { captions: 'sized', plainShare: 0.1 }, dropped: { word: 0, rest: 0.5 } },
} as const satisfies Readonly<Record<string, Kind>>;

type KindName = keyof typeof kinds;
const kindNames = Object.keys(kinds) as KindName[];

/** Kinds of the later parts, each as often as it is named. */
const laterKinds = {
  again: ['bold', 'told', 'whole'],
  point: ['sized', 'sized', 'told', 'whole'],
} as const satisfies Readonly<Record<string, readonly KindName[]>>;

/** The kind of a group of scenes. `random` decides where kinds blend. */
function kindOf(number: number, settings: PictureSettings, random: Random): KindName {
  const { boldSteps, blendSteps } = settings;
  const { name } = partAt(settings, number);
  if (name !== 'first') return random.pick(laterKinds[name]);
  return random.chance((number - boldSteps + 1) / (blendSteps + 1)) ? 'whole' : 'bold';
}

/** Scenes that are drawn at one time, with their captions as they are read. */
interface SceneGroup {
  /** [G, 4, S, S] */
  readonly pictures: Float32Array;
  /** [G, 77, d] */
  readonly rows: Float32Array;
  /** [G] Place of EOS. */
  readonly ends: readonly number[];
  /** [G, 77], [G, 2, S²] The objects of which rows tell, and where they are: Ground. */
  readonly objects: Int8Array;
  readonly covers: Float32Array;
  readonly kind: KindName;
}

export interface PictureRun {
  readonly settings: PictureSettings;
  readonly model: Denoiser;
  readonly moments: AdamWMoments;
  readonly muon: Muon;
  /** The running average of the parameters. */
  readonly averages: Floats;
  /** Parameters that the third part began from; 0 before it. */
  readonly start: Floats;
  readonly reader: PromptReader;
  /** [77, d] */
  readonly emptyRows: Float32Array;
  readonly drawGroup: (number: number) => SceneGroup;
  /** The batch of the step. */
  readonly batch: SharedBatch;
  /** The batch of the step that comes next, if it is drawn already. */
  drawn: DrawnBatch | null;
  /** Groups that later steps need again, by number. */
  readonly groups: Map<number, SceneGroup>;
  /** Steps that are done. */
  step: number;
}

/** Makes a denoiser with room for B pictures, its parameters zero, and room for its steps. `compiled` is to be plain. Rejects with CpuError where there is not enough memory. */
export async function createTrainee(compiled: CompiledKernels, config: DenoiserConfig, B: number) {
  const places = Array.from(denoiserShapes(config), ([name, shape]) => ({
    ...{ name, shape },
    length: shape.reduce((product, n) => product * n, 1),
  }));
  const muonOf = (products: Products) => createMuon(products, places, isMatrix);
  const model = await createFastDenoiser(compiled, config, { B, T: contextLength }, countFloats(muonOf));
  return { model, muon: muonOf(model.kernels) };
}

/** Starts a run with random parameters. `compiled` is to be plain. Rejects with CpuError where there is not enough memory. */
export async function startPictureRun(
  settings: PictureSettings,
  tokenizer: Tokenizer,
  reader: PromptReader,
  compiled: CompiledKernels,
): Promise<PictureRun> {
  const { model, muon } = await createTrainee(compiled, pictureModelConfig(settings, reader.width), settings.batch);
  drawDenoiser(model, settings.seed);
  const empty = new Uint32Array(contextLength);
  writeInputIds([], empty);
  return {
    settings,
    model,
    moments: createMoments(model.parameters),
    muon,
    averages: model.parameters.values.slice(),
    start: new Float32Array(model.parameters.values.length),
    reader,
    emptyRows: reader.read(empty),
    batch: sharedBatch({
      ...{ parts: settings.batch / partPictures, pictures: partPictures },
      ...{ contextWidth: reader.width, parameters: model.parameters.values.length },
      grounding: settings.grounding,
    }),
    drawGroup: groupDrawer(settings, tokenizer, reader),
    groups: new Map(),
    drawn: null,
    step: 0,
  };
}

function groupDrawer(settings: PictureSettings, tokenizer: Tokenizer, reader: PromptReader) {
  const { seed, batch, repeats } = settings;
  const draws = new Map(kindNames.map((kind) => [kind, batchDrawer(tokenizer, kinds[kind].draw)]));
  return (number: number): SceneGroup => {
    const scenes = createBatch(batch / repeats);
    const random = createRandom(seed, 2 * number);
    const kind = kindOf(number, settings, random);
    draws.get(kind)!(scenes, random);
    const { pictures, inputIds, size } = scenes;
    const ends = Array.from({ length: size }, (_, i) => {
      const ids = inputIds.subarray(i * contextLength, (i + 1) * contextLength);
      return ids.indexOf(eosTokenId);
    });
    const ground = kind === 'sized' ? groundsOf(tokenizer, scenes) : ungrounded(size);
    return { pictures: withCover(scenes.scenes, pictures), rows: reader.read(inputIds), ends, ...ground, kind };
  };
}

const ungrounded = (G: number) => ({
  objects: new Int8Array(G * contextLength).fill(-1),
  covers: new Float32Array(G * coversLength),
});

/** Says of which objects the rows of plain captions tell, and where they are. */
function groundsOf(tokenizer: Tokenizer, { size, scenes, captions, descriptions }: WorldBatch) {
  const { objects, covers } = ungrounded(size);
  for (let i = 0; i < size; i++) {
    for (const [object, words] of phraseRows(tokenizer, captions[i], descriptions[i]).entries())
      for (const row of words.flatMap(({ rows }) => rows)) objects[i * contextLength + row] = object;
    for (const [object, placed] of scenes[i].objects.entries())
      eachCovered({ ...placed, stroke: null, shape: placed.words.shape }, (pixel, share) => {
        covers[i * coversLength + object * pictureSize ** 2 + pixel] = share;
      });
  }
  return { objects, covers };
}

/** Steps between the turns of a group: each time it meets other groups. */
const turnsApart = (repeats: number) => Array.from({ length: repeats }, (_, i) => i * (3 * i + 4));

/** The groups of a step, those drawn before among them. Groups of negative numbers stand for such as earlier steps would have drawn. */
function groupsOf({ settings, groups, drawGroup }: PictureRun, step: number): SceneGroup[] {
  const apart = turnsApart(settings.repeats);
  for (const number of groups.keys()) if (number < step - apart.at(-1)!) groups.delete(number);
  return apart.map((steps) => {
    const number = step - steps;
    const group = groups.get(number) ?? drawGroup(number);
    groups.set(number, group);
    return group;
  });
}

/** Writes a caption's rows [77, d] into `context`, with those that are left out replaced: these tell of no object in `objects` [77]. */
function drawCondition(
  { context, objects }: { readonly context: Float32Array; readonly objects: Int8Array },
  rows: Float32Array,
  emptyRows: Float32Array,
  end: number,
  dropped: Kind['dropped'],
  random: Random,
): void {
  const d = emptyRows.length / contextLength;
  const isEmpty = random.chance(emptyShare);
  const isRestDropped = random.chance(dropped.rest);
  for (let i = 0; i < contextLength; i++) {
    const isDropped = i < end ? random.chance(dropped.word) : isRestDropped;
    const source = isEmpty || isDropped ? emptyRows : rows;
    if (source === emptyRows) objects[i] = -1;
    context.set(source.subarray(i * d, (i + 1) * d), i * d);
  }
}

/** Pictures, noisy pictures, times and conditions of a step. */
type DrawnBatch = Pick<SharedBatch, (typeof drawnNames)[number]> & { readonly step: number };
const drawnNames = ['clean', 'noisy', 'context', 'objects', 'covers', 'times'] as const;

/** Draws the batch of a step. */
function drawNoisyBatch(run: PictureRun, step: number): DrawnBatch {
  const { settings, emptyRows, batch } = run;
  const { seed, batch: B } = settings;
  const random = createRandom(seed, 2 * step + 1);
  const [clean, noisy] = [new Float32Array(batch.clean.length), new Float32Array(batch.noisy.length)];
  const context = new Float32Array(batch.context.length);
  const [objects, covers] = [new Int8Array(batch.objects.length), new Float32Array(batch.covers.length)];
  let b = 0;
  for (const { pictures, rows, ends, kind, ...ground } of groupsOf(run, step)) {
    clean.set(pictures, b * drawnLength);
    objects.set(ground.objects, b * contextLength);
    covers.set(ground.covers, b * coversLength);
    for (const [i, end] of ends.entries()) {
      const own = rows.subarray(i * emptyRows.length, (i + 1) * emptyRows.length);
      const condition = {
        context: context.subarray((b + i) * emptyRows.length),
        objects: objects.subarray((b + i) * contextLength),
      };
      drawCondition(condition, own, emptyRows, end, kinds[kind].dropped, random);
    }
    b += ends.length;
  }
  // One time from each of B parts of equal share: a step then sees all times.
  const ratioOf = (i: number) => (i % 3 === 2 ? noisyRatio : medianRatio);
  const times = Float64Array.from({ length: B }, (_, i) => timeOf((i + random.uniform()) / B, ratioOf(i)));
  const noise = Float32Array.from({ length: clean.length }, () => normal(random));
  // Groups are in order, and each is to meet all times.
  for (let i = B - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [times[i], times[other]] = [times[other], times[i]];
  }
  mixNoise(noisy, clean, noise, times);
  return { step, clean, noisy, context, objects, covers, times };
}

/** Says what a checkpoint keeps of a run, by the names of its tensors. */
export const pictureCheckpoint = (
  { settings, step, model, moments, averages, start }: PictureRun,
  clipSha256: string,
): RunState => ({
  settings,
  step,
  arrays: {
    parameters: model.parameters.values,
    first_moments: moments.first,
    second_moments: moments.second,
    averages,
    start,
  },
  notes: { clip_sha256: clipSha256 },
});

/** Numbers of one step. */
export interface PictureStepNumbers {
  /** Counts from 1. */
  readonly step: number;
  readonly loss: number;
  /** The grounding loss with its weight; 0 where the step has no words that learn to point. */
  readonly groundingLoss: number;
  /** Norm of the gradient before it was clipped. */
  readonly gradientNorm: number;
  readonly learningRate: number;
}

/** A thread that shares the work of a run. */
export interface PartsThread {
  /** Resolves when nothing of the work is left to take. */
  share(work: SharedWork): Promise<void>;
}

/**
 * Draws the next batch and learns from it. The threads share its work with this one; the bits are the same with any number of them. While
 * they begin, this one draws what the step after will need.
 */
export async function pictureStep(run: PictureRun, threads: readonly PartsThread[] = []): Promise<PictureStepNumbers> {
  const { settings, model, moments, muon, averages, batch } = run;
  const { parameters } = model;
  const doTogether = async (work: SharedWork, before: () => void = () => {}) => {
    batch.taken[0] = 0;
    const elsewhere = threads.map((thread) => thread.share(work));
    before();
    shareWork(run, work);
    await Promise.all(elsewhere);
  };
  const { name, at } = partAt(settings, run.step);
  if (at === 0 && run.step > 0) beginAfresh(run);
  if (at === 0 && name === 'point') run.start.set(averages);
  const drawn = run.drawn?.step === run.step ? run.drawn : drawNoisyBatch(run, run.step);
  for (const kind of drawnNames) batch[kind].set(drawn[kind]);
  batch.parameters.set(parameters.values);
  await doTogether('gradients', () => {
    run.drawn = drawNoisyBatch(run, run.step + 1);
  });
  const { loss, groundingLoss } = meanOfParts(model, batch);
  const learningRate = rateOf(settings, run.step);
  run.step++;
  const norm = gradientNorm(parameters);
  const factor = clipFactor(norm, longestGradient);
  drawDirections(muon, parameters, moments, muonSettings, batch.directions);
  await doTogether('directions', () => adamWStep(parameters, moments, adamW, at + 1, learningRate, factor, isMatrix));
  followDirections(muon, parameters, muonSettings, learningRate, batch.directions);
  average(averages, parameters.values, Math.min(averaging, (at + 2) / (at + 11)));
  return { step: run.step, loss, groundingLoss, gradientNorm: norm, learningRate };
}

/** Goes on from the averages as a file of float16 holds them, without moments. */
function beginAfresh({ model: { parameters }, moments, averages }: PictureRun): void {
  roundToFloat16(averages);
  parameters.values.set(averages);
  forgetMoments(moments);
}

/** averages ← kept · averages + (1 − kept) · values. */
function average(averages: Floats, values: Floats, kept: number): void {
  for (let i = 0; i < averages.length; i++) averages[i] += (1 - kept) * (values[i] - averages[i]);
}

/** The parameters that a run is for: the averages, and in the third part a mean of these and of what it began from. */
export function trainedParameters({ settings, step, averages, start }: PictureRun): Floats {
  const { steps, pointSteps, pointShare } = settings;
  if (step <= steps - pointSteps) return averages;
  return averages.map((value, i) => pointShare * value + (1 - pointShare) * start[i]);
}

/** Runs something with the trained parameters in the place of those that learn. */
export function withTrained<Result>(run: PictureRun, call: () => Result): Result {
  const { values } = run.model.parameters;
  const own = values.slice();
  values.set(trainedParameters(run));
  try {
    return call();
  } finally {
    values.set(own);
  }
}
