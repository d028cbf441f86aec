/** Pictures of prompts: the denoiser in the sampler. S as in world/render.ts, d as in clip/config.ts. */

import { defaultOptions } from '../road/options.ts';
import type { Floats } from '../training/products.ts';
import { type CrossAttention, crossAttention, type Denoiser, denoise } from './denoiser.ts';
import type { DenoiserEngine, NoisyPictures } from './denoiserEngine.ts';
import { drawnLength } from './drawnPicture.ts';
import type { ConditionedRows, StepConditioning } from './promptSteps.ts';
import {
  guided,
  type SampledStep,
  type SamplerName,
  samplerTimes,
  sampling,
  samplingLater,
  seededNoise,
  shareOfNegative,
  type WeightedPrediction,
} from './sampler.ts';

/** A picture to draw: of a seed's noise, told at each call of the denoiser what `steps` has. */
export interface Draft {
  readonly seed: number;
  /** One for each call. */
  readonly steps: readonly StepConditioning[];
}

export interface DrawingSettings {
  readonly sampler: SamplerName;
  readonly guidance: number;
  /** Sums up where the pixels of a draft's picture look; absent where nobody asks. */
  readonly looks?: readonly PixelLooks[];
}

/** How pictures are drawn where nobody chose otherwise: so a denoiser is judged, too. */
export const usualDrawing = { sampler: 'flow', guidance: 2, steps: defaultOptions.steps } as const;

/** One prediction that a step needs. */
interface Question {
  readonly draft: number;
  /** The part of the prompt that it is for; null for the negative prompt. */
  readonly part: number | null;
  readonly rows: Float32Array;
}

/** The predictions that a draft needs in a step: those of the parts, and that of the negative prompt if any of it is left. */
function questionsOf({ parts, negative }: StepConditioning, draft: number, guidance: number): Question[] {
  const asked: Question[] = parts.map(({ rows }, part) => ({ draft, part, rows }));
  return shareOfNegative(parts, guidance) === 0 ? asked : [...asked, { draft, part: null, rows: negative.rows }];
}

/** Cuts questions into batches that the denoiser has room for. */
function* batchesOf(
  questions: readonly Question[],
  { room, config }: Pick<DenoiserEngine, 'room' | 'config'>,
): Generator<readonly Question[]> {
  const most = room.B * room.T * config.contextWidth;
  let batch: Question[] = [];
  let length = 0;
  for (const question of questions) {
    if (batch.length === room.B || length + question.rows.length > most) {
      yield batch;
      [batch, length] = [[], 0];
    }
    batch.push(question);
    length += question.rows.length;
  }
  yield batch;
}

/** The pictures at time t that a batch asks about, and what the denoiser is told of each. */
function noisyOf(batch: readonly Question[], x: Floats, t: number) {
  const noisy = new Float32Array(batch.length * drawnLength);
  for (const [i, { draft }] of batch.entries())
    noisy.set(x.subarray(draft * drawnLength, (draft + 1) * drawnLength), i * drawnLength);
  return { x: noisy, times: batch.map(() => t), contexts: batch.map(({ rows }) => rows) } satisfies NoisyPictures;
}

/** [Σ T_b, d] The rows of all, one below the other. */
function joinedRows(contexts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(contexts.reduce((sum, rows) => sum + rows.length, 0));
  let at = 0;
  for (const rows of contexts) {
    joined.set(rows, at);
    at += rows.length;
  }
  return joined;
}

/** Whether two steps have the same rows of a part: the negative prompt may have another text in them. */
const hasRowsOf = ({ rows: a }: ConditionedRows, { rows: b }: ConditionedRows) =>
  a === b || (a.length === b.length && a.every((value, i) => value === b[i]));

/** One call of the sampler: the questions of all drafts, and their answers put together. */
function callOf(drafts: readonly Draft[], step: number, { guidance, looks }: DrawingSettings) {
  const told = drafts.map(({ steps }) => steps[step]);
  const parts: WeightedPrediction[][] = drafts.map(() => []);
  const negatives: (Floats | null)[] = drafts.map(() => null);
  return {
    questions: told.flatMap((conditioning, draft) => questionsOf(conditioning, draft, guidance)),
    /** Keeps the answers to a batch: clean pictures [batch, 4, S, S], and where the pixels of one look. */
    hear(batch: readonly Question[], clean: Floats, looksOf: (place: number) => readonly CrossAttention[]): void {
      for (const [place, { draft, part }] of batch.entries()) {
        const prediction = clean.slice(place * drawnLength, (place + 1) * drawnLength);
        if (part === null) negatives[draft] = prediction;
        else {
          parts[draft][part] = { weight: told[draft].parts[part].weight, prediction };
          // Another text of a schedule has other rows: those of the last are told of.
          const last = drafts[draft].steps.at(-1)!;
          if (looks && hasRowsOf(told[draft].parts[part], last.parts[part]))
            addLooks(looks[draft], looksOf(place), part);
        }
      }
    },
    /** [drafts, 4, S, S] */
    clean(): Float64Array {
      const all = new Float64Array(drafts.length * drawnLength);
      for (const [draft, own] of parts.entries()) all.set(guided(negatives[draft], own, guidance), draft * drawnLength);
      return all;
    },
  };
}

const noiseOf = (drafts: readonly Draft[]) => seededNoise(drafts.map(({ seed }) => seed));
const timesOf = (drafts: readonly Draft[], { sampler }: DrawingSettings) =>
  samplerTimes(sampler, drafts[0]?.steps.length ?? 1);

/**
 * Draws all drafts, which have the same number of calls, side by side, [drafts, 4, S, S]; between two calls whoever runs it may stop. A
 * draft's picture is the same beside whichever others, up to rounding. The denoiser needs room for the longest rows.
 */
export function drawing(model: Denoiser, drafts: readonly Draft[], settings: DrawingSettings): Generator<SampledStep> {
  return sampling(noiseOf(drafts), timesOf(drafts, settings), (x, t, step) => {
    const call = callOf(drafts, step, settings);
    for (const batch of batchesOf(call.questions, model)) {
      const noisy = noisyOf(batch, x, t);
      const lengths = noisy.contexts.map((rows) => rows.length / model.config.contextWidth);
      const clean = denoise(model, noisy.x, noisy.times, joinedRows(noisy.contexts), lengths);
      call.hear(batch, clean, (place) => crossAttention(model, place));
    }
    return call.clean();
  });
}

/** Does what `drawing` does, on whichever engine. */
export function drawingOn(
  engine: DenoiserEngine,
  drafts: readonly Draft[],
  settings: DrawingSettings,
): AsyncGenerator<SampledStep> {
  return samplingLater(noiseOf(drafts), timesOf(drafts, settings), async (x, t, step) => {
    const call = callOf(drafts, step, settings);
    for (const batch of batchesOf(call.questions, engine)) {
      const noisy = noisyOf(batch, x, t);
      const { clean, looks } = await engine.predict(noisy, settings.looks !== undefined);
      call.hear(batch, clean, (place) => looks[place]);
    }
    return call.clean();
  });
}

/** Side of the squares of pixels that looks are told of: those of the denoiser's finest level. */
export const lookSide = 20;

/** Sums over heads, layers and the calls with the last text of how much each square of pixels looks at each row of the prompt (as DAAM sums them). */
export interface PixelLooks {
  /** Part by part [T, lookSide²]. */
  readonly parts: Float32Array[];
}

/** [lookSide²] Sums the looks at some rows of looks [T, lookSide²]. */
export function looksAtRows(looks: ArrayLike<number>, rows: readonly number[]): Float64Array {
  const squares = lookSide * lookSide;
  const sums = new Float64Array(squares);
  for (const row of rows)
    for (let square = 0; square < squares; square++) sums[square] += looks[row * squares + square];
  return sums;
}

/** A row or column of a coarser layer, and its share of a square. */
interface NearCell {
  readonly at: number;
  readonly share: number;
}

/** The two rows, or columns, of a layer that are nearest to the middle of a square; at the edge one twice. */
function nearestCells(square: number, side: number): readonly NearCell[] {
  const place = Math.min(side - 1, Math.max(0, ((square + 0.5) * side) / lookSide - 0.5));
  const before = Math.floor(place);
  const after = place - before;
  return [
    { at: before, share: 1 - after },
    { at: Math.min(side - 1, before + 1), share: after },
  ];
}

/**
 * Adds what the pixels of a picture looked at in a call. A coarser layer is interpolated, as DAAM does: else a square at the edge of a
 * cell would count like its middle.
 */
export function addLooks({ parts }: PixelLooks, looked: readonly CrossAttention[], part: number): void {
  for (const { side, heads, T, probabilities } of looked) {
    parts[part] ??= new Float32Array(T * lookSide * lookSide);
    const sums = parts[part];
    const near = Array.from({ length: lookSide }, (_, square) => nearestCells(square, side));
    for (let square = 0; square < lookSide * lookSide; square++)
      for (const row of near[Math.floor(square / lookSide)])
        for (const column of near[square % lookSide]) {
          const share = row.share * column.share;
          if (share === 0) continue;
          for (let head = 0; head < heads; head++) {
            const from = (head * side * side + row.at * side + column.at) * T;
            for (let token = 0; token < T; token++)
              sums[token * lookSide * lookSide + square] += share * probabilities[from + token];
          }
        }
  }
}
