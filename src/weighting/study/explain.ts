/** Why a row of a conditioning is what it is: a method's formula with the numbers of a prompt. */
import { outputRows, type RowRange, versionRows, type Weighing, weighedRows, weighing } from '../apply.ts';
import { type MeanChange, meanChange } from '../means.ts';
import {
  completed,
  isWeighted,
  type Term,
  type Version,
  type VersionDescription,
  type WeightedPrompt,
  type WordChange,
  type ZOf,
} from '../method.ts';
import { type MethodName, methods } from '../methods.ts';
import { factor } from '../wording.ts';

/** A summand of a sum over versions of the prompt. */
export interface Part extends VersionDescription {
  /** Its part of the sum. All shares come to 1. */
  readonly share: number;
  /** [d] Its row, moved from the empty prompt where the method does that. */
  readonly values: Float64Array;
}

export interface Explanation {
  readonly formula: string;
  /** The formula with this row's numbers, to four digits. */
  readonly filled: string;
  readonly source: string;
  readonly terms: readonly Term[];
  /** Empty where the method is no sum over versions of the prompt. */
  readonly parts: readonly Part[];
  /** [d] The row of the conditioning, in float64. */
  readonly values: Float64Array;
}

/**
 * Explains a row of a conditioning, [0, L·n). Asks for outputs of the method's passes alone. Numbers that are not finite are
 * given as they are. Throws RangeError where the conditioning has no such row.
 */
export function explainRow(name: MethodName, prompt: WeightedPrompt, row: number, zOf: ZOf): Explanation {
  const method = methods[name];
  const made = weighing(method, prompt);
  const L = prompt.empty.inputIds.length;
  if (!Number.isInteger(row) || row < 0 || row >= L * made.n)
    throw new RangeError(`The conditioning has no row ${row} to explain: take one from 0 to ${L * made.n - 1}.`);
  const range = { at: Math.floor(row / L), from: row % L, to: (row % L) + 1 };
  const whole = { ...prompt, chunks: completed(prompt.chunks, made.n, prompt) };
  const weight = whole.chunks[range.at].perTokenWeights[range.from];
  const mean = meanChange(made.means, range.at, zOf);
  const change = made.wordChanges.find(({ at, word, chunk }) => at === range.at && chunk.wordIds[range.from] === word);
  const values = weighedRows(made, range, mean?.ratio, zOf);
  const parts = made.versions.flatMap((version): Part[] => {
    const described = version.describe?.();
    if (!described) return [];
    return [{ ...described, share: version.share, values: versionRows(version, range, prompt.empty, zOf) }];
  });
  const result = mean ? 'z″' : 'z′';
  const added = change ? ` + ${factor(change.factors[range.from])} · (z − Eᵥ)` : '';
  return {
    formula: method.formula,
    filled: `${result} = ${mean ? filledMean(weight, mean) : filledSum(parts, made.versions[0], range) + added}`,
    source: method.source,
    terms: [
      { symbol: 'w', meaning: 'weight of the token', value: weight },
      ...(mean ? meanTerms(mean) : []),
      ...encoderTerms(made, range, zOf),
      ...(change ? changeTerms(change, range, zOf) : []),
      ...(method.terms?.(whole, row) ?? []),
      norm(`‖${result}‖`, 'norm of the result', values),
    ],
    parts,
    values,
  };
}

/** Lists the norms of what the encoder gave for the whole prompt; nothing where the sum has no share of it. */
function encoderTerms({ versions: [version], empty }: Weighing, range: RowRange, zOf: ZOf): Term[] {
  const isWhole = !version.describe?.().without.length;
  if (!isWhole) return [];
  const chunk = version.chunks[range.at];
  const z = outputRows(chunk.pass, range, zOf);
  const terms = [norm('‖z‖', 'norm of the encoder’s row', z)];
  if (version.base === 'zero' || !isWeighted(chunk)) return terms;
  const e = outputRows(empty, range, zOf);
  return [
    ...terms,
    norm('‖e‖', 'norm of the row of the empty prompt at the same place', e),
    norm('‖z − e‖', 'distance from the empty prompt', difference(z, e)),
  ];
}

function meanTerms({ before, after, ratio, over }: MeanChange): Term[] {
  return [
    { symbol: 'mean(z)', meaning: `over ${over}`, value: before },
    { symbol: 'mean(z′)', meaning: `over ${over}, z′ = w · z`, value: after },
    { symbol: 'mean(z) / mean(z′)', meaning: 'exactly 1 where nothing is weighted', value: ratio },
  ];
}

function changeTerms({ chunk, without, factors }: WordChange, range: RowRange, zOf: ZOf): Term[] {
  const z = outputRows(chunk.pass, range, zOf);
  const v = outputRows(without.pass, range, zOf);
  return [
    { symbol: 'w − 1', meaning: 'what the word weighs more than 1', value: factors[range.from] },
    norm('‖Eᵥ‖', 'norm of the row with + in the place of the word', v),
    norm('‖z − Eᵥ‖', 'what the word does to its own row', difference(z, v)),
  ];
}

function norm(symbol: string, meaning: string, values: Iterable<number>): Term {
  let sum = 0;
  for (const value of values) sum += value * value;
  return { symbol, meaning, value: Math.sqrt(sum) };
}

function difference(a: Float32Array, b: Float32Array): Float64Array {
  return Float64Array.from(a, (value, i) => value - b[i]);
}

function filledMean(weight: number, { before, after, ratio }: MeanChange): string {
  return `${factor(weight)} · z · ${factor(before)} / ${factor(after)} = ${factor(weight * ratio)} · z`;
}

/** Longer sums are cut off. */
const mostShown = 4;

/** Writes the sum, and the whole prompt's row in it where that is weighted. */
function filledSum(parts: readonly Part[], first: Version, range: RowRange): string {
  const whole = filledVersion(first, range);
  if (parts.length === 0) return whole;
  const [{ symbol }] = parts;
  const shown = parts.slice(0, mostShown).map(({ share, symbol }) => `${factor(share)} · ${symbol}`);
  const sum = parts.length === 1 ? symbol : [...shown, ...(parts.length > mostShown ? ['…'] : [])].join(' + ');
  if (whole === 'z') return sum;
  return `${parts.length === 1 ? sum : `${sum},  ${symbol}`} = ${whole}`;
}

function filledVersion({ base, chunks }: Version, { at, from }: RowRange): string {
  const weight = chunks[at].perTokenWeights[from];
  if (weight === 1) return 'z';
  return base === 'zero' ? `${factor(weight)} · z` : `e + ${factor(weight)} · (z − e)`;
}
