/** Why a row of a conditioning is what it is: a method's formula with the numbers of a prompt. */
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { batchMeans, type Means, rowSumsOf, sharedMeanRows, sharedMeans } from '../a1111.ts';
import { compelLevels, downWeightLevels, downWeights, heavyWords, type Level, plusPlusLevels } from '../adv.ts';
import { compelVersions } from '../compel.ts';
import {
  filler,
  isWeighted,
  maskedRows,
  type WeightedChunk,
  type WeightedPrompt,
  weightedSum,
  type ZOf,
} from '../method.ts';
import type { MethodName } from '../methods.ts';

/** A quantity of the formula. */
export interface Term {
  /** As in the formula, or of the row: `w`, `mean(z)`, `‖z‖`. */
  readonly symbol: string;
  readonly meaning: string;
  readonly value: number;
}

/** A summand of a sum over versions of the prompt. */
export interface Part {
  /** As in the formula: `E₀`, `B₁`. */
  readonly symbol: string;
  readonly meaning: string;
  /** Before it is divided by the sum of all factors: Compel's λ. Elsewhere the share. */
  readonly factor: number;
  /** What it counts in the result. All shares come to 1. */
  readonly share: number;
  /** What is masked, removed or replaced in it, among the rows of all chunks. */
  readonly without: readonly number[];
  /** [d] Its row, moved from the empty prompt where the method does that. */
  readonly values: Float64Array;
}

export interface Explanation {
  /** In plain text: `z″ = w · z · mean(z) / mean(z′)`. */
  readonly formula: string;
  /** The same with this row's numbers, to four digits. */
  readonly filled: string;
  /** Program and version, or equation. */
  readonly source: string;
  readonly terms: readonly Term[];
  /** Empty where the method is no sum over versions of the prompt. */
  readonly parts: readonly Part[];
  /** [d] The row of the conditioning, in float64. */
  readonly values: Float64Array;
}

/**
 * What a method does to a row of a conditioning, [0, L·n). Asks for outputs of the method's passes alone. Numbers that are
 * not finite are given as they are. Throws RangeError where the conditioning has no such row.
 */
export function explainRow(name: MethodName, prompt: WeightedPrompt, row: number, zOf: ZOf): Explanation {
  const { chunks, empty } = prompt;
  const L = empty.inputIds.length;
  const at = Math.floor(row / L);
  const count = L * chunkCount(name, prompt);
  if (!Number.isInteger(row) || row < 0 || row >= count)
    throw new RangeError(`The conditioning has no row ${row} to explain: take one from 0 to ${count - 1}.`);
  const own = chunks[at] ?? filler(prompt);
  const weight = own.perTokenWeights[row % L];
  const w: Term = { symbol: 'w', meaning: 'weight of the token', value: weight };
  const rowOf = (pass: EncoderPass): Float64Array => {
    const z = zOf(pass);
    const d = z.length / L;
    return Float64Array.from(z.subarray((row % L) * d, ((row % L) + 1) * d));
  };
  /** e + (z − e) w, or z where the weight is 1. */
  const moved = ({ pass, perTokenWeights }: WeightedChunk): Float64Array => {
    const by = perTokenWeights[row % L];
    const z = rowOf(pass);
    if (by === 1) return z;
    const e = rowOf(empty);
    return z.map((value, i) => e[i] + (value - e[i]) * by);
  };
  /** ‖z‖, and what is known of e: nothing where the method does not read it. */
  const movedTerms = (chunk: WeightedChunk): Term[] => {
    const z = rowOf(chunk.pass);
    const terms = [norm('‖z‖', 'norm of the encoder’s row', z)];
    if (!isWeighted(chunk)) return terms;
    const e = rowOf(empty);
    return [
      ...terms,
      norm('‖e‖', 'norm of the row of the empty prompt at the same place', e),
      norm('‖z − e‖', 'distance from the empty prompt', difference(z, e)),
    ];
  };
  const scaled = (factor: number) => rowOf(own.pass).map((value) => value * factor);
  const levelParts = (levels: readonly Level[]): Part[] =>
    levels.map((level, j) => ({
      symbol: `E${subscript(j)}`,
      meaning:
        level.replaced.length === 0
          ? 'the whole prompt'
          : `the prompt with + in the place of what weighs less than ${number(level.weight)}`,
      factor: level.share,
      share: level.share,
      without: level.replaced,
      values: moved(level.chunks[at]),
    }));

  switch (name) {
    case 'none': {
      const values = scaled(1);
      const terms = [w, norm('‖z‖', 'norm of the encoder’s row', values)];
      return { formula: 'z′ = z', filled: 'z′ = z', source: sources[name], terms, parts: [], values };
    }
    case 'scale': {
      const values = scaled(weight);
      const terms = [
        w,
        norm('‖z‖', 'norm of the encoder’s row', scaled(1)),
        norm('‖z′‖', 'norm of the result', values),
      ];
      const filled = `z′ = ${factor(weight)} · z`;
      return { formula: 'z′ = w · z', filled, source: sources[name], terms, parts: [], values };
    }
    case 'original':
    case 'adv-a1111': {
      const isOriginal = name === 'original';
      const read = isOriginal ? sharedMeanRows(prompt)[at] : chunks;
      const means = isOriginal ? batchMeans(prompt, rowSumsOf(zOf))[at] : sharedMeans(chunks, rowSumsOf(zOf));
      const isShared = isOriginal && read.length > 1 && read.some(isWeighted);
      const over = isOriginal
        ? isShared
          ? 'this chunk of all texts of the batch'
          : 'this chunk'
        : 'all chunks together';
      const counted = isOriginal && !isShared ? 1 : read.length;
      const values = scaled(weight * means.ratio);
      const z = rowOf(own.pass);
      const terms = [
        w,
        ...meanTerms(means, counted * L * z.length, over),
        norm('‖z‖', 'norm of the encoder’s row', z),
        norm('‖z″‖', 'norm of the result', values),
      ];
      const [, before, after] = terms;
      const filled = `z″ = ${factor(weight)} · z · ${factor(before.value)} / ${factor(after.value)} = ${factor(weight * means.ratio)} · z`;
      const formula = 'z″ = w · z · mean(z) / mean(z′)';
      return { formula, filled, source: sources[name], terms, parts: [], values };
    }
    case 'comfy': {
      const values = moved(own);
      const terms = [w, ...movedTerms(own), norm('‖z′‖', 'norm of the result', values)];
      const filled = weight === 1 ? 'z′ = z' : `z′ = e + ${factor(weight)} · (z − e)`;
      return { formula: 'z′ = e + w · (z − e)', filled, source: sources[name], terms, parts: [], values };
    }
    case 'compel-mask':
    case 'compel-remove': {
      const way = name === 'compel-mask' ? 'masked' : 'removed';
      const versions = compelVersions(prompt, way);
      const parts = versions.map((version, k): Part => {
        const fragment = prompt.downweighted[k - 1];
        return {
          symbol: k === 0 ? 'E₀' : `B${subscript(k)}`,
          meaning: fragment
            ? `the prompt with a fragment ${way} that weighs ${number(fragment.weight)}`
            : 'the whole prompt',
          factor: version.factor,
          share: version.share,
          without: fragment ? maskedRows(prompt, fragment) : [],
          values: moved(version.chunks[at] ?? filler(prompt)),
        };
      });
      const values = total(parts);
      const lambdas = parts.slice(1).map(({ factor: value }, k): Term => {
        const light = number(prompt.downweighted[k].weight);
        return { symbol: `λ${subscript(k + 1)}`, meaning: `tan((1 − ${light}) · π / 2)`, value };
      });
      const sum = lambdas.reduce((all, { value }) => all + value, 0);
      const terms = [w, ...movedTerms(own), ...lambdas, norm('‖z′‖', 'norm of the result', values)];
      if (lambdas.length > 0)
        terms.splice(-1, 0, { symbol: 'Σ λ', meaning: 'sum over all light fragments', value: sum });
      return {
        formula: 'z′ = (E₀ + Σ λₖ Bₖ) / (1 + Σ λₖ),  E₀ and Bₖ = e + w · (z − e)',
        filled: `z′ = ${filledMove(parts, weight)}`,
        source: sources[name],
        terms,
        parts,
        values,
      };
    }
    case 'adv-compel': {
      const levels = compelLevels(chunks);
      const parts = levelParts(levels);
      const values = total(parts);
      const raised: Term = { symbol: 'p', meaning: 'the weight, but not less than 1', value: weight >= 1 ? weight : 1 };
      return {
        formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ,  Eⱼ = e + p · (zⱼ − e)',
        filled: `z′ = ${filledMove(parts, raised.value)}`,
        source: sources[name],
        terms: [w, raised, norm('‖z′‖', 'norm of the result', values)],
        parts,
        values,
      };
    }
    case 'adv-down-weight': {
      const { largest, weights } = downWeights(chunks);
      const parts = levelParts(downWeightLevels(chunks));
      const values = total(parts);
      return {
        formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ,  u = w / max(w)',
        filled: `z′ = ${filledSum(parts)}`,
        source: sources[name],
        terms: [
          w,
          { symbol: 'max(w)', meaning: 'the largest weight of the prompt', value: largest },
          {
            symbol: 'u',
            meaning: 'the weight after division by it; of BOS, EOS and PAD 1',
            value: weights[at][row % L],
          },
          norm('‖z′‖', 'norm of the result', values),
        ],
        parts,
        values,
      };
    }
    case 'adv-comfy++': {
      const parts = levelParts(plusPlusLevels(chunks));
      const sum = total(parts);
      const heavy = heavyWords(chunks).find((word) => word.at === at && own.wordIds[row % L] === word.word);
      const above = heavy ? Math.max(weight, 1) - 1 : 0;
      const shared = {
        formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ + (w − 1) · (z − Eᵥ)',
        source: sources[name],
        parts,
      };
      if (!heavy)
        return {
          ...shared,
          filled: `z′ = ${filledSum(parts)}`,
          terms: [w, norm('‖z′‖', 'norm of the result', sum)],
          values: sum,
        };
      const [z, v] = [rowOf(own.pass), rowOf(heavy.without.pass)];
      const change = difference(z, v);
      const values = sum.map((value, i) => value + above * change[i]);
      return {
        ...shared,
        filled: `z′ = ${filledSum(parts)} + ${factor(above)} · (z − Eᵥ)`,
        terms: [
          w,
          { symbol: 'w − 1', meaning: 'what the word weighs more than 1', value: above },
          norm('‖z‖', 'norm of the encoder’s row', z),
          norm('‖Eᵥ‖', 'norm of the row with + in the place of the word', v),
          norm('‖z − Eᵥ‖', 'what the word does to its own row', change),
          norm('‖z′‖', 'norm of the result', values),
        ],
        values,
      };
    }
    default:
      return name satisfies never;
  }
}

const sources: Readonly<Record<MethodName, string>> = {
  none: 'stable-diffusion-webui 1.10, emphasis “Ignore”',
  scale: 'the lecture, eq. (14); stable-diffusion-webui 1.10, emphasis “No norm”',
  original: 'stable-diffusion-webui 1.10, emphasis “Original”, its default',
  'compel-mask': 'Compel 2.4, DownweightMode.MASK, its default',
  'compel-remove': 'Compel 2.4, DownweightMode.REMOVE',
  comfy: 'ComfyUI; ComfyUI_ADV_CLIP_emb, “comfy”',
  'adv-a1111': 'ComfyUI_ADV_CLIP_emb, “A1111”',
  'adv-compel': 'ComfyUI_ADV_CLIP_emb, “compel”',
  'adv-comfy++': 'ComfyUI_ADV_CLIP_emb, “comfy++”',
  'adv-down-weight': 'ComfyUI_ADV_CLIP_emb, “down_weight”',
};

/** How many chunks the method's conditioning has. */
function chunkCount(name: MethodName, prompt: WeightedPrompt): number {
  switch (name) {
    case 'original':
      return sharedMeanRows(prompt).length;
    case 'compel-remove':
      return Math.max(...compelVersions(prompt, 'removed').map(({ chunks }) => chunks.length));
    default:
      return prompt.chunks.length;
  }
}

function meanTerms({ before, after, ratio }: Means, count: number, over: string): Term[] {
  return [
    { symbol: 'mean(z)', meaning: `over ${over}`, value: before / count },
    { symbol: 'mean(z′)', meaning: `over ${over}, z′ = w · z`, value: after / count },
    { symbol: 'mean(z) / mean(z′)', meaning: 'exactly 1 where nothing is weighted', value: ratio },
  ];
}

function norm(symbol: string, meaning: string, values: Float64Array): Term {
  return { symbol, meaning, value: Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) };
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]);
}

function total(parts: readonly Part[]): Float64Array {
  return weightedSum(parts.map(({ share, values }) => ({ factor: share, z: values })));
}

/** Longer sums are cut off. */
const mostShown = 4;

function filledSum(parts: readonly Part[]): string {
  if (parts.length === 1) return parts[0].symbol;
  const shown = parts.slice(0, mostShown).map(({ share, symbol }) => `${factor(share)} · ${symbol}`);
  return [...shown, ...(parts.length > mostShown ? ['…'] : [])].join(' + ');
}

/** The sum, and what the whole prompt's row in it is where it was moved. */
function filledMove(parts: readonly Part[], weight: number): string {
  const sum = filledSum(parts);
  if (weight === 1) return sum;
  return `${parts.length === 1 ? sum : `${sum},  E₀`} = e + ${factor(weight)} · (z − e)`;
}

/** Four digits, with a minus sign. */
function number(value: number): string {
  return String(Number(value.toPrecision(4)))
    .replaceAll('-', '−')
    .replace('Infinity', '∞');
}

/** In a product or quotient. */
function factor(value: number): string {
  return value < 0 ? `(${number(value)})` : number(value);
}

function subscript(value: number): string {
  return Array.from(String(value), (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)]).join('');
}
