/** The sum that made one cell of a matrix of the encoder, in float64, from the matrices and weights that went into it. */
import type { ClipTextConfig } from './config.ts';
import { at, type Formula, fraction, math, root, sub, sup, tilde } from './formula.ts';
import type { CellRule, TensorKey } from './stages.ts';

/** A cell's place: its head where every head has a matrix of its own, else 0. */
export interface CellPlace {
  readonly head: number;
  readonly row: number;
  readonly column: number;
}

/** Everything that the cells of one layer are made from. */
export interface CellInputs {
  readonly config: ClipTextConfig;
  /** [L] */
  readonly inputIds: Uint32Array;
  /** [L, L], 1 where query i sees key j. */
  readonly mask: Uint8Array;
  tensor(key: TensorKey): ArrayLike<number>;
  /** The cell's row of W [in] and its bias in a linear layer, its γ and β in a LayerNorm. Null where the rule reads none. */
  readonly weight: { readonly weight: ArrayLike<number>; readonly bias: number } | null;
}

/** A number with its letter. */
export interface Quantity {
  readonly name: Formula;
  readonly value: number;
}

export interface Term {
  /** The column of the input, or the key, that it is about. */
  readonly index: number;
  /** Two numbers that are multiplied, or one. */
  readonly factors: readonly number[];
  readonly value: number;
}

export interface CellSum {
  /** Numbers that are computed, or read, first. */
  readonly first: readonly Quantity[];
  /** Numbers that are added up, in their order; none where nothing is. */
  readonly terms: readonly Term[];
  /** The thing that the index of a term counts. */
  readonly over: 'columns' | 'keys';
  /** Numbers that turn the sum into the cell. */
  readonly after: readonly Quantity[];
  /** The cell. */
  readonly total: number;
}

type Part = Pick<CellSum, 'total'> & Partial<CellSum>;

/** Products of a row of each matrix, from the given elements on. */
function products(
  a: ArrayLike<number>,
  aFrom: number,
  b: ArrayLike<number>,
  bFrom: number,
  count: number,
  bStep = 1,
): Term[] {
  return Array.from({ length: count }, (_, index) => {
    const factors = [a[aFrom + index], b[bFrom + index * bStep]];
    // A masked key takes no part, not even where its value is infinite.
    return { index, factors, value: factors[0] === 0 ? 0 : factors[0] * factors[1] };
  });
}

const added = (terms: readonly Term[]) => terms.reduce((sum, { value }) => sum + value, 0);

function layerNormCell(
  x: ArrayLike<number>,
  { row, column }: CellPlace,
  d: number,
  eps: number,
  inputs: CellInputs,
): Part {
  const { weight, bias } = inputs.weight!;
  const values = Array.from({ length: d }, (_, i) => x[row * d + i]);
  const mean = values.reduce((sum, value) => sum + value, 0) / d;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / d;
  return {
    first: [
      { name: math('x'), value: values[column] },
      { name: at('μ', 'i'), value: mean },
      { name: sup(at('σ', 'i'), '2'), value: variance },
      {
        name: math(fraction(math('x −', at('μ', 'i')), root(math(sup(at('σ', 'i'), '2'), '+ ε')))),
        value: (values[column] - mean) / Math.sqrt(variance + eps),
      },
      { name: at('γ', 'c'), value: weight[0] },
      { name: at('β', 'c'), value: bias },
    ],
    total: ((values[column] - mean) / Math.sqrt(variance + eps)) * weight[0] + bias,
  };
}

function linearCell(
  x: ArrayLike<number>,
  { row }: CellPlace,
  { weight, bias }: NonNullable<CellInputs['weight']>,
): Part {
  const terms = products(x, row * weight.length, weight, 0, weight.length);
  return { terms, after: [{ name: at('b', 'c'), value: bias }], total: added(terms) + bias };
}

function softmaxCell(scores: ArrayLike<number>, { head, row, column }: CellPlace, L: number): Part {
  const own = Array.from({ length: L }, (_, j) => scores[(head * L + row) * L + j]);
  const max = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const seen = own.map((score, index) => ({ score, index })).filter(({ score }) => score !== Number.NEGATIVE_INFINITY);
  const terms = seen.map(({ score, index }) => ({ index, factors: [score], value: Math.exp(score - max) }));
  const exponential = own[column] === Number.NEGATIVE_INFINITY ? 0 : Math.exp(own[column] - max);
  return {
    first: seen.length > 0 ? [{ name: math('max (', tilde('S'), ')'), value: max }] : [],
    terms,
    over: 'keys',
    after: [{ name: sup('e', math(at(tilde('S'), 'i , j'), '− max')), value: exponential }],
    total: exponential === 0 ? 0 : exponential / added(terms),
  };
}

/** How the cell of a matrix at this place comes about; the rule is its operation's. */
export function cellSum(rule: CellRule, key: TensorKey, place: CellPlace, inputs: CellInputs): CellSum {
  return { first: [], terms: [], over: 'columns', after: [], ...cellPart(rule, key, place, inputs) };
}

function cellPart(rule: CellRule, key: TensorKey, place: CellPlace, inputs: CellInputs): Part {
  const { tensor, config, weight } = inputs;
  const { hiddenSize: d, intermediateSize: m, headDim, maxPositionEmbeddings: L } = config;
  const { head, row, column } = place;
  switch (rule.kind) {
    case 'lookup':
      return rule.table === 'token'
        ? { first: [{ name: at('t', 'i'), value: inputs.inputIds[row] }], total: tensor(key)[row * d + column] }
        : { first: [{ name: math('i'), value: row }], total: tensor(key)[row * d + column] };
    case 'add': {
      const terms = rule.of.map((summand, index) => {
        const value = tensor(summand)[row * d + column];
        return { index, factors: [value], value };
      });
      return { terms, total: added(terms) };
    }
    case 'layerNorm':
      return layerNormCell(tensor(rule.of), place, d, config.layerNormEps, inputs);
    case 'linear':
      return linearCell(tensor(rule.of), place, weight!);
    case 'scores': {
      const start = head * headDim;
      const terms = products(tensor('q'), row * d + start, tensor('k'), column * d + start, headDim);
      const scale = 1 / Math.sqrt(headDim);
      return {
        terms,
        after: [{ name: fraction('1', root(sub('d', 'h'))), value: scale }],
        total: added(terms) * scale,
      };
    }
    case 'mask': {
      const score = tensor('scores')[(head * L + row) * L + column];
      const isSeen = inputs.mask[row * L + column] === 1;
      return {
        first: [
          { name: at('S', 'i , j'), value: score },
          { name: at('M', 'i , j'), value: Number(isSeen) },
        ],
        total: isSeen ? score : Number.NEGATIVE_INFINITY,
      };
    }
    case 'softmax':
      return softmaxCell(tensor('masked_scores'), place, L);
    case 'attended': {
      const ofHead = Math.floor(column / headDim);
      const terms = products(tensor('probabilities'), (ofHead * L + row) * L, tensor('v'), column, L, d);
      return { terms, over: 'keys', total: added(terms) };
    }
    case 'quickGelu': {
      const u = tensor(rule.of)[row * m + column];
      const gate = 1 / (1 + Math.exp(-1.702 * u));
      return {
        first: [
          { name: math('u'), value: u },
          { name: math('σ ( 1.702 u )'), value: gate },
        ],
        total: u * gate,
      };
    }
    default:
      return rule satisfies never;
  }
}

/** The terms that count most, by magnitude, and the sum of all others. */
export function largestTerms(
  terms: readonly Term[],
  count = 8,
): { readonly largest: readonly Term[]; readonly others: number; readonly rest: number } {
  const sorted = terms.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const rest = sorted.slice(count);
  return { largest: sorted.slice(0, count), others: rest.length, rest: added(rest) };
}
