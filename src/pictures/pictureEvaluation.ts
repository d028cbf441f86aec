/** How well a denoiser draws the small world: captions, the pictures that it makes of them, and what the judge sees in these. */

import { createRandom } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { inputIdsOf } from '../training/evaluation.ts';
import type { Floats } from '../training/products.ts';
import type { Description } from '../world/description.ts';
import { judgePicture } from '../world/judge/judge.ts';
import { matchedObjects, type Verdict, verdictOf } from '../world/judge/verdict.ts';
import { batchDrawer, createBatch } from '../world/worldBatch.ts';
import type { Denoiser } from './denoiser.ts';
import { type Draft, drawing, type PixelLooks, usualDrawing } from './drawing.ts';
import { drawnLength, shownPicture } from './drawnPicture.ts';
import { phraseRows } from './phraseRows.ts';
import { pointsInside, silhouettes } from './pointing.ts';
import type { PromptReader } from './promptReader.ts';
import type { SamplerName } from './sampler.ts';

/** Captions, read. */
export interface Prompts {
  readonly captions: readonly string[];
  readonly descriptions: readonly Description[];
  /** [n, 77, d] */
  readonly rows: Float32Array;
}

/** Captions of one kind of scenes: what people type first (colours, shapes, relation), and such as say everything. */
export interface PictureSet {
  readonly brief: Prompts;
  readonly complete: Prompts;
  /** The brief captions with words after them that mean nothing. */
  readonly filled: Prompts;
  /** Rows of the colour and of the shape of each object, caption by caption of the brief ones. */
  readonly namedRows: readonly (readonly NamedRows[])[];
}

/** Rows of an object's words in a caption's 77. */
export interface NamedRows {
  readonly colour: readonly number[];
  readonly shape: readonly number[];
}

/** Above all seeds of a run, so that no scene of a run's is drawn again. */
export const evaluationSeed = 0xd1c7a6e5;

/** Words that people add to most prompts, and that mean nothing here. */
const fillers = ', masterpiece, best quality';

/** The rows of each object's words in the plainest wording of its colour and shape. */
export const namedRows = (tokenizer: Tokenizer, caption: string, description: Description): NamedRows[] =>
  phraseRows(tokenizer, caption, description).map(([colour, shape]) => ({ colour: colour.rows, shape: shape.rows }));

/**
 * Draws `scenes` captions of colours and shapes, and a quarter as many that say everything, of pairs that training has seen, or with such
 * as it never has: always the same.
 */
export function pictureSet(
  tokenizer: Tokenizer,
  reader: PromptReader,
  pairs: 'seen' | 'heldOut',
  scenes: number,
): PictureSet {
  const stream = pairs === 'seen' ? 0 : 2;
  const draw = (style: 'brief' | 'complete', count: number) => {
    const batch = createBatch(count);
    const random = createRandom(evaluationSeed, stream + (style === 'brief' ? 0 : 1));
    batchDrawer(tokenizer, { pairs, captions: style })(batch, random);
    return batch;
  };
  const read = (descriptions: readonly Description[], captions: readonly string[]): Prompts => ({
    ...{ captions, descriptions },
    rows: reader.read(inputIdsOf(tokenizer, captions)),
  });
  const brief = draw('brief', scenes);
  const whole = draw('complete', Math.ceil(scenes / 4));
  return {
    brief: read(brief.descriptions, brief.captions),
    complete: read(whole.descriptions, whole.captions),
    filled: read(
      brief.descriptions,
      brief.captions.map((caption) => caption + fillers),
    ),
    namedRows: brief.captions.map((caption, i) => namedRows(tokenizer, caption, brief.descriptions[i])),
  };
}

export interface DrawingOptions {
  readonly steps: number;
  readonly guidance: number;
  readonly sampler?: SamplerName;
}

/** Hears that so many pictures more are drawn. */
export type HearDrawn = (pictures: number) => void;

/** Draws drafts to their ends, as many at once as there is room for: [drafts, 4, S, S]. `looks` has one place for each. */
export function drawToEnd(
  model: Denoiser,
  drafts: readonly Draft[],
  { guidance, sampler = usualDrawing.sampler }: Omit<DrawingOptions, 'steps'>,
  looks?: readonly PixelLooks[],
  hear?: HearDrawn,
): Float32Array {
  const all = new Float32Array(drafts.length * drawnLength);
  for (let from = 0; from < drafts.length; from += model.room.B) {
    const some = drafts.slice(from, from + model.room.B);
    let pictures: Floats = new Float32Array();
    const settings = { sampler, guidance, looks: looks?.slice(from, from + some.length) };
    for (const { x } of drawing(model, some, settings)) pictures = x;
    all.set(pictures, from * drawnLength);
    hear?.(some.length);
  }
  return all;
}

/** Pictures [n, 4, S, S] of rows [n, 77, d]; picture i of the noise of seed i. */
export function drawPictures(
  model: Denoiser,
  rows: Float32Array,
  emptyRows: Float32Array,
  options: DrawingOptions,
  looks?: readonly PixelLooks[],
  hear?: HearDrawn,
): Float32Array {
  const tokens = Array<null>(contextLength).fill(null);
  const negative = { rows: emptyRows, tokens };
  const drafts = Array.from({ length: rows.length / emptyRows.length }, (_, seed) => {
    const own = rows.subarray(seed * emptyRows.length, (seed + 1) * emptyRows.length);
    const told = { parts: [{ weight: 1, rows: own, tokens }], negative };
    return { seed, steps: Array<typeof told>(options.steps).fill(told) };
  });
  return drawToEnd(model, drafts, options, looks, hear);
}

/** Shares of 0 … 1. Of objects, where `ofAllSaid` does not say otherwise: those of pictures with the right number of them. */
export interface PictureEvaluation {
  /** Pictures of brief captions of which everything is right. */
  readonly right: number;
  /** Whether all is right of each of them, "1" or "0" a caption: a part of them can be drawn again. */
  readonly verdicts: string;
  readonly count: number;
  readonly colour: number;
  readonly shape: number;
  /** Share of pictures of two objects alone. */
  readonly relation: number;
  /** Pictures of captions that say everything of which everything is right. */
  readonly complete: number;
  /** Pictures whose verdict is the same with "masterpiece, best quality" after the caption. */
  readonly fillerInvariance: number;
  /** Words that are looked at most from inside their object: colours, and shapes. */
  readonly colourPointing: number;
  readonly shapePointing: number;
  /** The four shares of objects once more, of all that are said. Missing in files from before this was measured. */
  readonly ofAllSaid?: SaidShares;
}

/** Shares of all objects that captions say: of a picture with another number of objects, none is right or looked at. */
export interface SaidShares {
  readonly colour: number;
  readonly shape: number;
  readonly colourPointing: number;
  readonly shapePointing: number;
}

/** The share that holds of those that say anything; 0 where none does. */
export function shareOf(holds: readonly (boolean | null)[]): number {
  const said = holds.filter((each) => each !== null);
  return said.length === 0 ? 0 : said.filter(Boolean).length / said.length;
}

/**
 * The share of a thing that is said of objects. `found` tells for each description's objects whether it holds, and is empty of a picture
 * with another number of objects: there it holds of none.
 */
export const shareOfSaid = (
  descriptions: readonly Description[],
  found: readonly (readonly Readonly<Record<'colour' | 'shape', boolean | null>>[])[],
  thing: 'colour' | 'shape',
): number =>
  shareOf(
    descriptions.flatMap(({ objects }, i) =>
      objects.map((words, place) => {
        const own = found[i].at(place);
        return own ? own[thing] : words[thing] && false;
      }),
    ),
  );

/** "1" for a picture of which everything is right, "0" for another. */
export const verdictBits = (verdicts: readonly Verdict[]): string =>
  verdicts.map(({ right }) => Number(right)).join('');

/** Holds each of some pictures [n, 4, S, S] to its caption. */
export const verdictsOf = ({ descriptions }: Pick<Prompts, 'descriptions'>, pictures: Float32Array): Verdict[] =>
  descriptions.map((description, i) => verdictOf(description, judgePicture(shownPicture(pictures, i))));

/** Whether two pictures are right and wrong in the same things. */
export const isSameVerdict = (a: Verdict, b: Verdict): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whether each object's words are looked at most from inside it; of pictures with the right number of objects alone. */
function pointed(
  picture: Float32Array,
  description: Description,
  named: readonly NamedRows[],
  { parts: [looks] }: PixelLooks,
): { readonly colour: boolean; readonly shape: boolean }[] {
  const seen = judgePicture(picture);
  if (seen.objects.length !== named.length) return [];
  const covered = silhouettes(picture, seen);
  return matchedObjects(description, seen).map((place, i) => ({
    colour: pointsInside(looks, named[i].colour, covered[place!]),
    shape: pointsInside(looks, named[i].shape, covered[place!]),
  }));
}

/** Draws and judges the pictures of a set. */
export function evaluatePictures(
  model: Denoiser,
  { brief, complete, filled, namedRows }: PictureSet,
  emptyRows: Float32Array,
  options: DrawingOptions,
  hear?: HearDrawn,
): PictureEvaluation {
  const draw = ({ rows }: Prompts, looks?: readonly PixelLooks[]) =>
    drawPictures(model, rows, emptyRows, options, looks, hear);
  const looks = brief.descriptions.map((): PixelLooks => ({ parts: [] }));
  const pictures = draw(brief, looks);
  const plain = verdictsOf(brief, pictures);
  const whole = verdictsOf(complete, draw(complete));
  const among = verdictsOf(filled, draw(filled));
  const objects = plain.map((verdict) => verdict.objects);
  const words = brief.descriptions.map((description, i) =>
    pointed(shownPicture(pictures, i), description, namedRows[i], looks[i]),
  );
  const ofSaid = (found: Parameters<typeof shareOfSaid>[1], thing: 'colour' | 'shape') =>
    shareOfSaid(brief.descriptions, found, thing);
  return {
    right: shareOf(plain.map(({ right }) => right)),
    verdicts: verdictBits(plain),
    count: shareOf(plain.map(({ count }) => count)),
    colour: shareOf(objects.flat().map(({ colour }) => colour)),
    shape: shareOf(objects.flat().map(({ shape }) => shape)),
    relation: shareOf(plain.map(({ relation }) => relation)),
    complete: shareOf(whole.map(({ right }) => right)),
    fillerInvariance: shareOf(plain.map((verdict, i) => isSameVerdict(verdict, among[i]))),
    colourPointing: shareOf(words.flat().map(({ colour }) => colour)),
    shapePointing: shareOf(words.flat().map(({ shape }) => shape)),
    ofAllSaid: {
      colour: ofSaid(objects, 'colour'),
      shape: ofSaid(objects, 'shape'),
      colourPointing: ofSaid(words, 'colour'),
      shapePointing: ofSaid(words, 'shape'),
    },
  };
}
