import type { Random } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, unknownShare, withUnknownTokens, worldTokenIds, writeInputIds } from './captionIds.ts';
import { plainCaption, withFillers, writeCaption } from './captions.ts';
import { type Description, meaningKey, toldFromSecond } from './description.ts';
import { pictureLength, renderScene } from './render.ts';
import { briefDescription, drawDescription, drawScene, fullDescription, type Pairs, type Scene } from './scene.ts';
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

export interface DrawOptions {
  /** Training draws `seen`. */
  readonly pairs?: Pairs;
  readonly captions?: CaptionStyle;
  /** Objects of every scene; one or two, as it happens, unless it is said. */
  readonly count?: 1 | 2;
  /** Every other scene is the twin of the one before it, if that has two objects. Of training's pairs alone. */
  readonly twins?: boolean;
  /** Share of scenes whose captions are lessons, whatever `captions` is. A twin's is one where that of its scene is one. */
  readonly lessonShare?: number;
}

/**
 * `training`: attributes left unsaid, fillers, unknown words. `complete`: everything is said, in any wording, with nothing
 * around it, as an evaluation needs it. `objects`: the same, but for the ground. `brief`: colours, shapes and their relation alone, in
 * the plainest wording. `lesson`: the same, from the left or upper object on.
 */
export type CaptionStyle = 'training' | 'complete' | 'objects' | 'brief' | 'lesson';

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
function describe(scene: Scene, style: CaptionStyle): Description {
  const brief = briefDescription(scene);
  if (style === 'brief') return brief;
  if (style === 'lesson')
    return scene.relation === 'right' || scene.relation === 'below' ? toldFromSecond(brief) : brief;
  const full = fullDescription(scene);
  return style === 'objects' ? { ...full, ground: null } : full;
}

/** A caption of this style, without anything around it. */
export const wordCaption = (random: Random, description: Description, style: CaptionStyle): string =>
  style === 'brief' || style === 'lesson' ? plainCaption(description) : writeCaption(random, description);

/** Makes the function that fills a batch with new scenes: the same ones for the same draws of `random`. */
export function batchDrawer(
  tokenizer: Tokenizer,
  { pairs = 'seen', captions = 'training', count, twins = false, lessonShare }: DrawOptions = {},
) {
  const known = new Set(worldTokenIds(tokenizer));
  return (batch: WorldBatch, random: Random): void => {
    let style = captions;
    for (let i = 0; i < batch.size; i++) {
      const twin = twins && i % 2 === 1 ? drawTwin(random, batch.scenes[i - 1]) : null;
      const scene = twin ?? drawScene(random, pairs, count);
      if (!twin && lessonShare !== undefined) style = random.chance(lessonShare) ? 'lesson' : captions;
      const training = style === 'training';
      const description = training ? drawDescription(random, scene) : describe(scene, style);
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
