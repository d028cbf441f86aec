import type { Random } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, unknownShare, withUnknownTokens, worldTokenIds, writeInputIds } from './captionIds.ts';
import { withFillers, writeCaption } from './captions.ts';
import { type Description, meaningKey } from './description.ts';
import { pictureLength, renderScene } from './render.ts';
import { drawDescription, drawScene, fullDescription, type Pairs, type Scene } from './scene.ts';

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
  /**
   * `training`: attributes left unsaid, fillers, unknown words. `complete`: everything is said, in any wording, with nothing
   * around it, as an evaluation needs it. `objects`: the same, but for the ground.
   */
  readonly captions?: 'training' | 'complete' | 'objects';
  /** Objects of every scene; one or two, as it happens, unless it is said. */
  readonly count?: 1 | 2;
}

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

/** Makes the function that fills a batch with new scenes: the same ones for the same draws of `random`. */
export function batchDrawer(tokenizer: Tokenizer, { pairs = 'seen', captions = 'training', count }: DrawOptions = {}) {
  const known = new Set(worldTokenIds(tokenizer));
  return (batch: WorldBatch, random: Random): void => {
    for (let i = 0; i < batch.size; i++) {
      const scene = drawScene(random, pairs, count);
      const training = captions === 'training';
      const full = fullDescription(scene);
      const description = training
        ? drawDescription(random, scene)
        : captions === 'objects'
          ? { ...full, ground: null }
          : full;
      const written = writeCaption(random, description);
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
