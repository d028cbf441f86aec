/** The interpretations of BlenderNeko's ComfyUI_ADV_CLIP_emb (adv_encode.py) that ComfyUI does not have; "comfy" is comfy.ts. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import { rowSumsOf, scaleBy, sharedMeans } from './a1111.ts';
import { fromEmpty, fromEmptyPasses } from './comfy.ts';
import { concatenate, distinct, type Method, unweighted, type WeightedChunk, weightedSum, type ZOf } from './method.ts';

/** What stands in a masked token's place: `+</w>`, although the original's comment speaks of the comma. */
const maskTokenId = 266;

/** The chunk with `maskTokenId` in the place of some tokens, and of their textual inversion vectors. */
function withReplaced(chunk: WeightedChunk, isReplaced: (row: number) => boolean): WeightedChunk {
  const { inputIds, vectors, ...rest } = chunk.pass;
  const pass: EncoderPass = { ...rest, inputIds: inputIds.map((id, row) => (isReplaced(row) ? maskTokenId : id)) };
  const kept = new Map([...(vectors ?? [])].filter(([row]) => !isReplaced(row)));
  return { ...chunk, pass: kept.size > 0 ? { ...pass, vectors: kept } : pass };
}

/** The prompt with what weighs less than some weight replaced, and how much of it goes into the sum. */
export interface Level {
  /** uⱼ */
  readonly weight: number;
  /** uⱼ − uⱼ₋₁ */
  readonly share: number;
  /** What is replaced, among the rows of all chunks. */
  readonly replaced: readonly number[];
  readonly chunks: readonly WeightedChunk[];
}

/**
 * The sum that weighs down. u₀ < u₁ < … are the distinct weights up to 1, those of BOS, EOS and PAD among them:
 *
 *   Σ (uⱼ − uⱼ₋₁) Eⱼ,  u₋₁ = 0    Eⱼ is the prompt with every token that weighs less than uⱼ replaced by `maskTokenId`
 *
 * Pears at 0.2 and apples at 0.5: 0.2 of all, 0.3 without pears, 0.5 without either. `weights` [n][L]; `chunks` carry the
 * weights that Eⱼ is moved from the empty prompt by. Shares of 0 are left out, so that nothing is encoded for them.
 */
function levels(chunks: readonly WeightedChunk[], weights: readonly Float64Array[]): Level[] {
  const all = weights.flatMap((w) => [...w]);
  const found = [...new Set(all)].filter((w) => w <= 1).sort((a, b) => a - b);
  if (!found.some((w) => w < 1)) return [{ weight: 1, share: 1, replaced: [], chunks }];
  let current = chunks;
  let below = 0;
  const reached = found.map((level) => {
    const replaced = Array.from(all.keys()).filter((row) => all[row] < level);
    const here = { weight: level, share: level - below, replaced, chunks: current };
    below = level;
    if (level < 1) current = current.map((chunk, i) => withReplaced(chunk, (row) => weights[i][row] === level));
    return here;
  });
  return reached.filter(({ share }) => share !== 0);
}

function levelPasses(all: readonly Level[], empty: EncoderPass): EncoderPass[] {
  return all.flatMap(({ chunks }) => fromEmptyPasses(chunks, empty));
}

function sumOfLevels(all: readonly Level[], empty: EncoderPass, zOf: ZOf): Float64Array {
  return weightedSum(all.map(({ share, chunks }) => ({ factor: share, z: fromEmpty(chunks, empty, zOf) })));
}

function weightsOf(chunks: readonly WeightedChunk[]): Float64Array[] {
  return chunks.map(({ perTokenWeights }) => perTokenWeights);
}

/** ADV "A1111": z'' = wᵢ zᵢ · mean(z) / mean(z'), one mean over all chunks together, which A1111 itself does not do. */
export const advA1111: Method = {
  passes: ({ chunks }) => distinct(chunks.map(({ pass }) => pass)),
  combine: ({ chunks }, zOf) => {
    const { ratio } = sharedMeans(chunks, rowSumsOf(zOf));
    const rows = chunks.map(({ pass, perTokenWeights }) => {
      const z = zOf(pass);
      return scaleBy(z, perTokenWeights, z.length / perTokenWeights.length, ratio);
    });
    return Float32Array.from(concatenate(rows));
  },
};

/** ADV "compel": what weighs more than 1 is moved from the empty prompt by its weight; then `levels` of what weighs less. */
export const advCompel: Method = {
  passes: ({ chunks, empty }) => distinct(levelPasses(compelLevels(chunks), empty)),
  combine: ({ chunks, empty }, zOf) => Float32Array.from(sumOfLevels(compelLevels(chunks), empty, zOf)),
};

/** The sum of ADV "compel". Its chunks carry the weights from 1 up. */
export function compelLevels(chunks: readonly WeightedChunk[]): Level[] {
  const raised = chunks.map((chunk) => ({
    ...chunk,
    perTokenWeights: chunk.perTokenWeights.map((weight) => (weight >= 1 ? weight : 1)),
  }));
  return levels(raised, weightsOf(chunks));
}

/**
 * ADV "comfy++": `levels` of what weighs less than 1, and for what weighs more, at its own rows,
 *
 *   (w − 1) (z − Eᵥ)    Eᵥ is the prompt with all tokens of the word replaced by `maskTokenId`
 *
 * A word weighs what its first token does.
 */
export const advComfyPlusPlus: Method = {
  passes: ({ chunks, empty }) =>
    distinct([
      ...levelPasses(plusPlusLevels(chunks), empty),
      ...heavyWords(chunks).flatMap(({ chunk, without }) => [chunk.pass, without.pass]),
    ]),
  combine: ({ chunks, empty }, zOf) => {
    const out = sumOfLevels(plusPlusLevels(chunks), empty, zOf);
    for (const { chunk, at, word, without } of heavyWords(chunks)) {
      const z = zOf(chunk.pass);
      const e = zOf(without.pass);
      const d = z.length / chunk.wordIds.length;
      const from = at * z.length;
      chunk.wordIds.forEach((id, row) => {
        if (id !== word) return;
        const factor = Math.max(chunk.perTokenWeights[row], 1) - 1;
        for (let i = row * d; i < (row + 1) * d; i++) out[from + i] += factor * (z[i] - e[i]);
      });
    }
    return Float32Array.from(out);
  },
};

/** The sum of ADV "comfy++", of what weighs less than 1. */
export function plusPlusLevels(chunks: readonly WeightedChunk[]): Level[] {
  return levels(chunks.map(unweighted), weightsOf(chunks));
}

/** Every word that weighs more than 1 in every chunk (the `at`th) that has some of it, with and without the word. */
export function heavyWords(chunks: readonly WeightedChunk[]) {
  const weightOf = new Map<number, number>();
  for (const { wordIds, perTokenWeights } of chunks)
    wordIds.forEach((id, row) => {
      if (!weightOf.has(id)) weightOf.set(id, perTokenWeights[row]);
    });
  const heavy = [...weightOf].filter(([, weight]) => weight > 1).map(([id]) => id);
  return heavy.flatMap((word) =>
    chunks.flatMap((chunk, at) =>
      chunk.wordIds.includes(word)
        ? [{ chunk, at, word, without: withReplaced(chunk, (row) => chunk.wordIds[row] === word) }]
        : [],
    ),
  );
}

/**
 * ADV "down_weight": all weights are divided by the largest, so that nothing weighs more than 1, BOS, EOS and PAD set to
 * 1, and `levels` does the rest. An unweighted word next to a heavy one is weighed down.
 */
export const advDownWeight: Method = {
  passes: ({ chunks, empty }) => distinct(levelPasses(downWeightLevels(chunks), empty)),
  combine: ({ chunks, empty }, zOf) => Float32Array.from(sumOfLevels(downWeightLevels(chunks), empty, zOf)),
};

/** The sum of ADV "down_weight". */
export function downWeightLevels(chunks: readonly WeightedChunk[]): Level[] {
  return levels(chunks.map(unweighted), downWeights(chunks).weights);
}

/** The largest weight, and the weights [n][L] as they are after division by it. */
export function downWeights(chunks: readonly WeightedChunk[]): {
  readonly largest: number;
  readonly weights: Float64Array[];
} {
  const largest = Math.max(...chunks.flatMap(({ perTokenWeights }) => [...perTokenWeights]));
  const most = Math.min(largest, 1);
  const weights = chunks.map(({ perTokenWeights, wordIds }) =>
    perTokenWeights.map((weight, row) => (wordIds[row] === 0 ? most : (weight / largest) * most)),
  );
  return { largest, weights };
}
