/** Every method as a sum: what a row of its conditioning is made of, without the conditioning. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import { batchMeans, type RowSumsOf, sharedMeanRows, sharedMeans } from './a1111.ts';
import { compelLevels, downWeightLevels, heavyWords, plusPlusLevels } from './adv.ts';
import { compelVersions } from './compel.ts';
import { concatenate, filler, isWeighted, type WeightedChunk, type WeightedPrompt, type ZOf } from './method.ts';
import type { MethodName } from './methods.ts';

/** Row i of a conditioning is Σ factors[i] · z[i mod L] over its summands, z that of `passes[⌊i / L⌋]`. */
export interface Summand {
  /** [n] */
  readonly passes: readonly EncoderPass[];
  /** [L·n] What is 0 needs no z. */
  readonly factors: Float64Array;
}

/**
 * The summands of a method; their sum is what `combine` gives, up to rounding. Asks for sums only where a mean has to be
 * restored; the summands whose factors are not 0 need no more than `passes` of the method.
 */
export function summands(name: MethodName, prompt: WeightedPrompt, sumsOf: RowSumsOf): Summand[] {
  const { chunks, empty } = prompt;
  switch (name) {
    case 'none':
      return [times(chunks, () => 1)];
    case 'scale':
      return [times(chunks, (weight) => weight)];
    case 'original': {
      const means = batchMeans(prompt, sumsOf);
      const own = sharedMeanRows(prompt).map(([chunk]) => chunk);
      return [times(own, (weight, at) => weight * means[at].ratio)];
    }
    case 'adv-a1111': {
      const { ratio } = sharedMeans(chunks, sumsOf);
      return [times(chunks, (weight) => weight * ratio)];
    }
    case 'comfy':
      return moved([{ share: 1, chunks }], empty);
    case 'compel-mask':
    case 'compel-remove': {
      const versions = compelVersions(prompt, name === 'compel-mask' ? 'masked' : 'removed');
      const n = Math.max(...versions.map((version) => version.chunks.length));
      const completed = (version: readonly WeightedChunk[]) =>
        Array.from({ length: n }, (_, at) => version[at] ?? filler(prompt));
      return moved(
        versions.map((version) => ({ share: version.share, chunks: completed(version.chunks) })),
        empty,
      );
    }
    case 'adv-compel':
      return moved(compelLevels(chunks), empty);
    case 'adv-down-weight':
      return moved(downWeightLevels(chunks), empty);
    case 'adv-comfy++':
      return [...moved(plusPlusLevels(chunks), empty), ...heavySummands(chunks)];
    default:
      return name satisfies never;
  }
}

/** Row i of the sum: [d]. */
export function sumAt(all: readonly Summand[], row: number, L: number, d: number, zOf: ZOf): Float64Array {
  const out = new Float64Array(d);
  const from = (row % L) * d;
  for (const { passes, factors } of all) {
    if (factors[row] === 0) continue;
    const z = zOf(passes[Math.floor(row / L)]);
    for (let c = 0; c < d; c++) out[c] += factors[row] * z[from + c];
  }
  return out;
}

/** Each chunk times a factor made of the weight of a row and the chunk's place. */
function times(chunks: readonly WeightedChunk[], factorOf: (weight: number, at: number) => number): Summand {
  return {
    passes: chunks.map(({ pass }) => pass),
    factors: concatenate(
      chunks.map(({ perTokenWeights }, at) => perTokenWeights.map((weight) => factorOf(weight, at))),
    ),
  };
}

/** Σ share · (e + (z − e) w), as factors of z and of e. */
function moved(
  parts: readonly { readonly share: number; readonly chunks: readonly WeightedChunk[] }[],
  empty: EncoderPass,
): Summand[] {
  return parts.flatMap(({ share, chunks }) => {
    const ofZ = times(chunks, (weight) => share * weight);
    if (!chunks.some(isWeighted)) return [ofZ];
    const ofEmpty = times(chunks, (weight) => share * (1 - weight));
    return [ofZ, { ...ofEmpty, passes: chunks.map(() => empty) }];
  });
}

/** (w − 1) z and −(w − 1) Eᵥ at the rows of each heavy word. */
function heavySummands(chunks: readonly WeightedChunk[]): Summand[] {
  return heavyWords(chunks).flatMap(({ at, word, without }) => {
    const factors = concatenate(
      chunks.map(({ perTokenWeights, wordIds }, chunk) =>
        perTokenWeights.map((weight, row) => (chunk === at && wordIds[row] === word ? Math.max(weight, 1) - 1 : 0)),
      ),
    );
    return [
      { passes: chunks.map(({ pass }) => pass), factors },
      { passes: chunks.map(() => without.pass), factors: factors.map((factor) => -factor) },
    ];
  });
}
