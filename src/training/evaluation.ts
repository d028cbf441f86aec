/** How well a model knows the small world: retrieval, foils, and words that should change nothing. */

import type { CompactTable } from '../clip/weights.ts';
import { createRandom, type Random } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, writeInputIds } from '../world/captionIds.ts';
import { withFillers } from '../world/captions.ts';
import { type FoilKind, foil, foilKinds } from '../world/description.ts';
import { pictureLength } from '../world/render.ts';
import { batchDrawer, type CaptionStyle, createBatch, firstAlike, wordCaption } from '../world/worldBatch.ts';
import { readCaptions } from './captionBatch.ts';
import type { ClipModel } from './clipModel.ts';
import { imageForward } from './imageTower.ts';
import { normalise, similarity } from './objective.ts';
import { textForward } from './textTower.ts';

/** Any model of both sides. Rows of its results have length 1. */
export interface Embedder {
  /** Numbers of a row. */
  readonly E: number;
  /** inputIds [B, 77] → [B, E] */
  embedTexts(inputIds: Uint32Array): Float64Array;
  /** pictures [B, 3, S, S] → [B, E] */
  embedPictures(pictures: Float32Array): Float64Array;
}

/** Embeds by a model that has room for `room` pairs, so many at once. What the model keeps of a training step is lost. */
export function clipEmbedder(model: ClipModel, rows: CompactTable, room: number): Embedder {
  const E = model.config.text.projectionDim;
  /** Embeds `count` inputs piece by piece. */
  const inPieces = (count: number, embed: (from: number, to: number) => ArrayLike<number>) => {
    const features = new Float64Array(count * E);
    for (let from = 0; from < count; from += room) features.set(embed(from, Math.min(count, from + room)), from * E);
    return normalise(features, E).rows;
  };
  return {
    E,
    embedTexts: (inputIds) =>
      inPieces(inputIds.length / contextLength, (from, to) =>
        textForward(
          model.text,
          readCaptions(inputIds.subarray(from * contextLength, to * contextLength), contextLength, rows),
        ),
      ),
    embedPictures: (pictures) =>
      inPieces(pictures.length / pictureLength, (from, to) =>
        imageForward(model.image, pictures.subarray(from * pictureLength, to * pictureLength), to - from),
      ),
  };
}

/** The scenes that a model is judged by, and their captions. */
export interface EvaluationSet {
  readonly scenes: number;
  /** [scenes, 3, S, S] */
  readonly pictures: Float32Array;
  /** [scenes, 77], captions that say everything. */
  readonly inputIds: Uint32Array;
  /** [scenes], the first scene whose caption means the same. */
  readonly alike: Uint32Array;
  /** Captions [n, 77] that are wrong in one way, each of the scene in `of` [n]. */
  readonly foils: Readonly<Record<FoilKind, { readonly inputIds: Uint32Array; readonly of: Uint32Array }>>;
  /** [scenes, 77], the captions among words that mean nothing. */
  readonly withFillers: Uint32Array;
}

/** Above all seeds of a run, so that no scene of a run's is drawn again. */
const evaluationSeed = 0xc11b5c0e;

/** CLIP's ids of captions, [captions, 77]. */
export function inputIdsOf(tokenizer: Tokenizer, captions: readonly string[]): Uint32Array {
  const inputIds = new Uint32Array(captions.length * contextLength);
  captions.forEach((caption, i) => {
    writeInputIds(captionTokens(tokenizer, caption), inputIds, i);
  });
  return inputIds;
}

/** The caption among words that change nothing, at least one. */
export function filled(random: Random, caption: string): string {
  let text = caption;
  while (text === caption) text = withFillers(random, caption);
  return text;
}

/** Draws scenes of pairs that training has seen, or with such as it never has: always the same. */
export function evaluationSet(
  tokenizer: Tokenizer,
  pairs: 'seen' | 'heldOut',
  scenes = 400,
  style: Exclude<CaptionStyle, 'training'> = 'complete',
): EvaluationSet {
  const random = createRandom(evaluationSeed, pairs === 'seen' ? 0 : 1);
  const batch = createBatch(scenes);
  batchDrawer(tokenizer, { pairs, captions: style })(batch, random);
  const { pictures, inputIds, descriptions, captions } = batch;
  const foilsOf = (kind: FoilKind) => {
    const wrong = descriptions.flatMap((description, of) => {
      const changed = foil(description, kind);
      return changed ? [{ of, caption: wordCaption(random, changed, style) }] : [];
    });
    const texts = wrong.map(({ caption }) => caption);
    return { inputIds: inputIdsOf(tokenizer, texts), of: Uint32Array.from(wrong, ({ of }) => of) };
  };
  return {
    scenes,
    pictures,
    inputIds,
    alike: firstAlike(descriptions),
    foils: Object.fromEntries(foilKinds.map((kind) => [kind, foilsOf(kind)])) as EvaluationSet['foils'],
    withFillers: inputIdsOf(
      tokenizer,
      captions.map((caption) => filled(random, caption)),
    ),
  };
}

/** Shares of 0 … 1. */
export interface Retrieval {
  /** R@1: captions whose nearest picture has a caption that means the same. */
  readonly textToImage: number;
  /** R@1: pictures whose nearest caption means the same as their own. */
  readonly imageToText: number;
  /** Foils that are less like the picture than its own caption is. */
  readonly foils: Readonly<Record<FoilKind, number>>;
}

export interface Evaluation extends Retrieval {
  /** Captions whose nearest picture stays the same among words that mean nothing. */
  readonly fillerInvariance: number;
}

/** Rows of length 1, of a set's pictures and captions [scenes, E], and of its foils [n, E]. */
export interface EmbeddedSet {
  readonly pictures: Float64Array;
  readonly captions: Float64Array;
  readonly foils: Readonly<Record<FoilKind, Float64Array>>;
}

/** Index of the largest of `count` numbers from `from` on, `step` apart. */
function largest(values: Float64Array, count: number, from: number, step: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[from + i * step] > values[from + best * step]) best = i;
  return best;
}

const dot = (a: Float64Array, i: number, b: Float64Array, j: number, E: number) => {
  let sum = 0;
  for (let c = 0; c < E; c++) sum += a[i * E + c] * b[j * E + c];
  return sum;
};

const nearestPictures = (S: Float64Array, N: number) => Array.from({ length: N }, (_, i) => largest(S, N, i * N, 1));

/** Share of 0 … count − 1 that are right. */
function share(count: number, isRight: (i: number) => boolean): number {
  let right = 0;
  for (let i = 0; i < count; i++) if (isRight(i)) right++;
  return right / count;
}

const foilShares = (shareOf: (kind: FoilKind) => number) =>
  Object.fromEntries(foilKinds.map((kind) => [kind, shareOf(kind)])) as Retrieval['foils'];

/** Judges the rows of a set by any model. */
export function judgeRetrieval({ pictures, captions, foils }: EmbeddedSet, set: EvaluationSet, E: number): Retrieval {
  const { scenes: N, alike } = set;
  const S = similarity(captions, pictures, E, 1);
  const nearest = nearestPictures(S, N);
  return {
    textToImage: share(N, (i) => alike[nearest[i]] === alike[i]),
    imageToText: share(N, (j) => alike[largest(S, N, j, N)] === alike[j]),
    foils: foilShares((kind) => {
      const { of } = set.foils[kind];
      return share(of.length, (i) => dot(foils[kind], i, pictures, of[i], E) < S[of[i] * (N + 1)]);
    }),
  };
}

/** Scenes whose foils tell more than those of an evaluation's 400, of which some 220 have one. */
export const foilScenes = 2000;

/** Foils of a set that are less like their picture than its own caption is. */
export function judgeFoils({ E, embedTexts, embedPictures }: Embedder, set: EvaluationSet): Retrieval['foils'] {
  const [pictures, captions] = [embedPictures(set.pictures), embedTexts(set.inputIds)];
  return foilShares((kind) => {
    const { inputIds, of } = set.foils[kind];
    const foils = embedTexts(inputIds);
    return share(of.length, (i) => dot(foils, i, pictures, of[i], E) < dot(captions, of[i], pictures, of[i], E));
  });
}

/** Measures a model on a set. */
export function evaluate({ E, embedTexts, embedPictures }: Embedder, set: EvaluationSet): Evaluation {
  const { scenes: N } = set;
  const pictures = embedPictures(set.pictures);
  const captions = embedTexts(set.inputIds);
  const foils = Object.fromEntries(
    foilKinds.map((kind) => [kind, embedTexts(set.foils[kind].inputIds)]),
  ) as EmbeddedSet['foils'];
  const nearest = nearestPictures(similarity(captions, pictures, E, 1), N);
  const among = nearestPictures(similarity(embedTexts(set.withFillers), pictures, E, 1), N);
  return {
    ...judgeRetrieval({ pictures, captions, foils }, set, E),
    fillerInvariance: share(N, (i) => among[i] === nearest[i]),
  };
}
