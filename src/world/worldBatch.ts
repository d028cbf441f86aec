import type { Random } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, unknownShare, withUnknownTokens, worldTokenIds, writeInputIds } from './captionIds.ts';
import { plainCaption, withFillers, writeCaption } from './captions.ts';
import { type Description, meaningKey } from './description.ts';
import { pictureLength, renderScene } from './render.ts';
import { briefDescription, drawDescription, drawScene, fullDescription, type Pairs, type Scene } from './scene.ts';

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
}

/**
 * `training`: attributes left unsaid, fillers, unknown words. `complete`: everything is said, in any wording, with nothing
 * around it, as an evaluation needs it. `objects`: the same, but for the ground. `brief`: colours, shapes and their relation alone, in the plainest wording.
 */
export type CaptionStyle = 'training' | 'complete' | 'objects' | 'brief';

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
  if (style === 'brief') return briefDescription(scene);
  const full = fullDescription(scene);
  return style === 'objects' ? { ...full, ground: null } : full;
}

/** A caption of this style, without anything around it. */
export const wordCaption = (random: Random, description: Description, style: CaptionStyle): string =>
  style === 'brief' ? plainCaption(description) : writeCaption(random, description);

/** Makes the function that fills a batch with new scenes: the same ones for the same draws of `random`. */
export function batchDrawer(tokenizer: Tokenizer, { pairs = 'seen', captions = 'training', count }: DrawOptions = {}) {
  const known = new Set(worldTokenIds(tokenizer));
  return (batch: WorldBatch, random: Random): void => {
    for (let i = 0; i < batch.size; i++) {
      const scene = drawScene(random, pairs, count);
      const training = captions === 'training';
      const description = training ? drawDescription(random, scene) : describe(scene, captions);
      const written = wordCaption(random, description, captions);
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
export function firstAlike(descriptions: readonly Description[]): Uint32Array {
  const first = new Map<string, number>();
  return Uint32Array.from(descriptions, (description, i) => {
    const key = meaningKey(description);
    if (!first.has(key)) first.set(key, i);
    return first.get(key)!;
  });
}

/** [3, S, S] of one picture of a batch: a view, no copy. */
export const pictureOf = (batch: WorldBatch, i: number): Float32Array =>
  batch.pictures.subarray(i * pictureLength, (i + 1) * pictureLength);
