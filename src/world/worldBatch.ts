import { happens, type Random } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, unknownShare, withUnknownTokens, worldTokenIds, writeInputIds } from './captionIds.ts';
import { plainCaption, withFillers, writeCaption } from './captions.ts';
import { type Description, meaningKey, toldFromSecond } from './description.ts';
import { pictureLength, renderScene } from './render.ts';
import {
  briefDescription,
  describeLike,
  drawDescription,
  drawScene,
  fullDescription,
  type Scene,
  type SceneOptions,
  sizedDescription,
  withOutlines,
} from './scene.ts';
import { drawSibling } from './sibling.ts';
import { drawTwin } from './twin.ts';

/** Pictures with their captions. Its arrays are filled again by each draw. */
export interface WorldBatch {
  readonly size: number;
  /** [B, 3, S, S], −1 … 1 */
  readonly pictures: Float32Array;
  /** [B, 77] */
  readonly inputIds: Uint32Array;
  readonly captions: string[];
  readonly descriptions: Description[];
  readonly scenes: Scene[];
}

export interface DrawOptions extends Pick<SceneOptions, 'pairs' | 'count' | 'bold'> {
  readonly captions?: CaptionStyle;
  /** Every other scene is the twin of the one before it, if that has two objects. Of training's pairs alone. */
  readonly twins?: boolean;
  /**
   * Share of fours that are families: a scene, its twin if it has two objects, and siblings, all told with the same attributes. Of
   * training's pairs alone.
   */
  readonly familyShare?: number;
  /** Share of the twins of scenes whose relation is told that are turned: what was left of the other object is above it. */
  readonly turnShare?: number;
  /** The last of a family is its third scene's twin, if that has two objects. */
  readonly siblingTwins?: boolean;
  /** Share of scenes, or of families, whose captions are lessons, whatever `captions` is. A twin's is one where that of its scene is one. */
  readonly lessonShare?: number;
  /** Share of scenes, or of families, that are plain. */
  readonly plainShare?: number;
  /** Captions of style `training` say of every outline that it is one: an object of which they do not is filled. */
  readonly outlinesSaid?: boolean;
  /** Share of scenes, or of families, whose objects have one colour. */
  readonly oneColourShare?: number;
}

/**
 * `training`: attributes left unsaid, fillers, unknown words. `complete`: everything is said, in any wording, with nothing
 * around it, as an evaluation needs it. `objects`: the same, but for the ground. `brief`: colours, shapes and their relation alone, in
 * the plainest wording. `lesson`: the same, from the left or upper object on. `sized`: the same as `brief`, with outlines and most sizes.
 */
export type CaptionStyle = 'training' | 'complete' | 'objects' | 'brief' | 'lesson' | 'sized';

export function createBatch(size: number): WorldBatch {
  return {
    size,
    pictures: new Float32Array(size * pictureLength),
    inputIds: new Uint32Array(size * contextLength),
    captions: [],
    descriptions: [],
    scenes: [],
  };
}

/** Everything that captions of this style can say of a scene. */
function describe(random: Random, scene: Scene, style: CaptionStyle): Description {
  if (style === 'sized') return sizedDescription(random, scene);
  const brief = briefDescription(scene);
  if (style === 'brief') return brief;
  if (style === 'lesson')
    return scene.relation === 'right' || scene.relation === 'below' ? toldFromSecond(brief) : brief;
  const full = fullDescription(scene);
  return style === 'objects' ? { ...full, ground: null } : full;
}

/** Whether captions of this style have the one plainest wording. */
const isPlain = (style: CaptionStyle) => style === 'brief' || style === 'lesson' || style === 'sized';

/** A caption of this style, without anything around it. */
export const wordCaption = (random: Random, description: Description, style: CaptionStyle): string =>
  isPlain(style) ? plainCaption(description) : writeCaption(random, description);

const familySize = 4;

/** Makes the function that fills a batch with new scenes: the same ones for the same draws of `random`. */
export function batchDrawer(
  tokenizer: Tokenizer,
  {
    pairs = 'seen',
    captions = 'training',
    count,
    bold,
    twins = false,
    familyShare,
    turnShare,
    siblingTwins = false,
    lessonShare,
    plainShare,
    outlinesSaid = false,
    oneColourShare,
  }: DrawOptions = {},
) {
  const known = new Set(worldTokenIds(tokenizer));
  /** Draws a relative of the scene in place `of`; null if it has none. */
  const drawRelative = (
    random: Random,
    { scenes, descriptions }: WorldBatch,
    of: number,
    nth: number,
    isFamily: boolean,
  ) => {
    const before = of + nth - 1;
    // The scene before is no sibling where there was none, and may have another number of objects than what is told of the first.
    const isTold = scenes[before].objects.length === descriptions[of].objects.length;
    const hasTwin = nth === 1 || (nth === 3 && siblingTwins && isTold);
    const twin = hasTwin ? drawTwin(random, scenes[before], descriptions[before], turnShare) : null;
    return twin ?? (isFamily ? drawSibling(random, scenes[of], descriptions[of]) : null);
  };
  return (batch: WorldBatch, random: Random): void => {
    let style = captions;
    let isFamily = false;
    for (let i = 0; i < batch.size; i++) {
      if (i % familySize === 0) isFamily = happens(random, familyShare);
      const nth = isFamily ? i % familySize : twins ? i % 2 : 0;
      const relative = nth > 0 ? drawRelative(random, batch, i - nth, nth, isFamily) : null;
      if (!relative && lessonShare !== undefined) style = random.chance(lessonShare) ? 'lesson' : captions;
      const training = style === 'training';
      const scene =
        relative ??
        drawScene(random, {
          pairs,
          count,
          bold,
          plain: happens(random, plainShare),
          oneColour: happens(random, oneColourShare),
        });
      const tell = () => {
        const told = relative ? describeLike(scene, batch.descriptions[i - nth]) : drawDescription(random, scene);
        return outlinesSaid ? withOutlines(scene, told) : told;
      };
      const description = training ? tell() : describe(random, scene, style);
      const written = wordCaption(random, description, style);
      const caption = training ? withFillers(random, written) : written;
      const ids = captionTokens(tokenizer, caption);
      const unknown = training && random.chance(unknownShare);
      writeInputIds(unknown ? withUnknownTokens(random, ids, tokenizer, known) : ids, batch.inputIds, i);
      renderScene(scene, batch.pictures, i * pictureLength);
      batch.captions[i] = caption;
      batch.descriptions[i] = description;
      batch.scenes[i] = scene;
    }
  };
}

/** For each caption of a batch, the first one that means the same: itself, or an earlier row. [B] */
export const firstAlike = (descriptions: readonly Description[]): Uint32Array =>
  firstEqual(descriptions.map(meaningKey));

/** For each key, the place of the first that equals it: its own, or an earlier one. */
export function firstEqual(keys: readonly string[]): Uint32Array {
  const first = new Map<string, number>();
  return Uint32Array.from(keys, (key, i) => {
    if (!first.has(key)) first.set(key, i);
    return first.get(key)!;
  });
}

/** [3, S, S] of one picture of a batch: a view, no copy. */
export const pictureOf = (batch: WorldBatch, i: number): Float32Array =>
  batch.pictures.subarray(i * pictureLength, (i + 1) * pictureLength);
