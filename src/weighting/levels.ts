/** The sum by which three interpretations of BlenderNeko's ComfyUI_ADV_CLIP_emb (adv_encode.py) weigh down. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Version, WeightedChunk } from './method.ts';
import { number, subscript } from './wording.ts';

/** Stands in the place of a masked token: `+</w>`, although the original's comment speaks of the comma. */
const maskTokenId = 266;

/**
 * Puts `maskTokenId` in the place of some tokens of a chunk, and takes their textual inversion vectors away. Gives the chunk itself
 * where none is replaced.
 */
export function withReplaced(chunk: WeightedChunk, isReplaced: (row: number) => boolean): WeightedChunk {
  const { inputIds, vectors, ...rest } = chunk.pass;
  if (!inputIds.some((_, row) => isReplaced(row))) return chunk;
  const pass: EncoderPass = { ...rest, inputIds: inputIds.map((id, row) => (isReplaced(row) ? maskTokenId : id)) };
  const kept = new Map([...(vectors ?? [])].filter(([row]) => !isReplaced(row)));
  return { ...chunk, pass: kept.size > 0 ? { ...pass, vectors: kept } : pass };
}

/**
 * Weighs a prompt down. u₀ < u₁ < … are the distinct weights up to 1, those of BOS, EOS and PAD among them:
 *
 *   Σ (uⱼ − uⱼ₋₁) Eⱼ,  u₋₁ = 0    Eⱼ is the prompt with every token that weighs less than uⱼ replaced by `maskTokenId`
 *
 * Pears at 0.2 and apples at 0.5: 0.2 of all, 0.3 without pears, 0.5 without either. `weights` [n][L]; `chunks` carry the
 * weights that Eⱼ is moved from the empty prompt by. Shares of 0 are left out, so that nothing is encoded for them.
 */
export function levels(chunks: readonly WeightedChunk[], weights: readonly Float64Array[]): Version[] {
  const all = weights.flatMap((w) => [...w]);
  const reached = [...new Set(all)].filter((w) => w <= 1).sort((a, b) => a - b);
  // Without a light token NaN may still be among the weights, and the whole prompt is all there is.
  if (!reached.some((w) => w < 1)) reached.splice(0, reached.length, 1);
  let below = 0;
  const versions: Version[] = [];
  for (const [index, level] of reached.entries()) {
    const share = level - below;
    below = level;
    if (share === 0) continue;
    const symbol = `E${subscript(versions.length)}`;
    const describe = () => ({ symbol, factor: share, ...replacedBelow(level, all) });
    const chunksOf = () => (index === 0 ? chunks : chunksFrom(level, chunks, weights));
    versions.push(versionWhenRead(share, chunksOf, describe));
  }
  return versions;
}

/** Makes the chunks of a version when they are first read: a long prompt may have hundreds of levels. */
function versionWhenRead(
  share: number,
  makeChunks: () => readonly WeightedChunk[],
  describe: Version['describe'],
): Version {
  let made: readonly WeightedChunk[] | undefined;
  return {
    share,
    base: 'empty',
    get chunks() {
      made ??= makeChunks();
      return made;
    },
    describe,
  };
}

/** Replaces every token that weighs less than `level`. */
function chunksFrom(
  level: number,
  chunks: readonly WeightedChunk[],
  weights: readonly Float64Array[],
): readonly WeightedChunk[] {
  return chunks.map((chunk, i) => withReplaced(chunk, (row) => weights[i][row] < level));
}

/** Says what is replaced below a weight; `all` are the weights of the rows of all chunks. */
function replacedBelow(level: number, all: readonly number[]) {
  const without = [...all.keys()].filter((row) => all[row] < level);
  const isWhole = without.length === 0;
  const meaning = isWhole
    ? 'the whole prompt'
    : `the prompt with + in the place of what weighs less than ${number(level)}`;
  return { meaning, without };
}

/** [n][L] */
export function weightsOf(chunks: readonly WeightedChunk[]): Float64Array[] {
  return chunks.map(({ perTokenWeights }) => perTokenWeights);
}
