/** The equation of one cell with this prompt's numbers in it. */
import { type CellPlace, type CellSum, largestTerms, type Term } from '../../clip/cellSums.ts';
import type { ClipTextConfig } from '../../clip/config.ts';
import { at, type Formula, fraction, math, root, sub, sup, words } from '../../clip/formula.ts';
import type { Operation } from '../../clip/stages.ts';

/** Terms of a sum that are written out; the others are one number. */
const writtenTerms = 2;

/** A number of four digits as a formula, with its sign before it: `− 0.1234`, `1.2 × 10⁻⁵`. */
export function numeral(value: number): Formula {
  if (value === Number.NEGATIVE_INFINITY) return math('− ∞');
  if (!Number.isFinite(value)) return words(String(value));
  const sign = value < 0 ? ['−'] : [];
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) return math(...sign, String(Number(size.toPrecision(4))));
  const [digits, exponent] = size.toExponential(3).split('e').map(Number);
  return math(...sign, String(digits), '×', sup('10', exponent < 0 ? math('−', String(-exponent)) : String(exponent)));
}

/** A number inside of a sum or a product: in brackets where it has a sign. */
export const inner = (value: number): Formula => (value < 0 ? math('(', numeral(value), ')') : numeral(value));

/** The largest products written out, and the sum of all others, with how many they are. */
function writtenSum(terms: readonly Term[]): Formula {
  const { largest, others, rest } = largestTerms(terms, writtenTerms);
  const parts = largest.map(({ factors }) => math(inner(factors[0]), '·', inner(factors[1])));
  const all = others > 0 ? [...parts, sub(inner(rest), words(`${others} others`))] : parts;
  return math(...all.flatMap((part, i) => (i > 0 ? ['+', part] : [part])));
}

/** The right-hand side with its numbers; null where the cell is the number that stands there. */
function filled({ rule }: Operation, sum: CellSum, config: ClipTextConfig): Formula | null {
  const { first, terms, after } = sum;
  const value = (i: number) => first[i].value;
  switch (rule.kind) {
    case 'lookup':
      return at(sub('E', words(rule.table === 'token' ? 'tok' : 'pos')), String(value(0)), ', c');
    case 'add':
      return math(numeral(terms[0].value), '+', inner(terms[1].value));
    case 'layerNorm':
      return math(
        inner(value(4)),
        '·',
        fraction(
          math(numeral(value(0)), '−', inner(value(1))),
          root(math(numeral(value(2)), '+', numeral(config.layerNormEps))),
        ),
        '+',
        inner(value(5)),
      );
    case 'linear':
      return math(writtenSum(terms), '+', inner(after[0].value));
    case 'scores':
      return fraction(writtenSum(terms), root(String(config.headDim)));
    case 'mask':
      return null;
    case 'softmax': {
      const all = terms.reduce((total, term) => total + term.value, 0);
      return all > 0 ? fraction(numeral(after[0].value), numeral(all)) : null;
    }
    case 'attended':
      return writtenSum(terms);
    case 'quickGelu':
      return math(inner(value(0)), '·', numeral(value(1)));
    default:
      return rule satisfies never;
  }
}

/** `Y[4, 7] = 0.12 + (−0.3) = −0.18`: the cell of an operation's matrix, what it is computed from, and its value. */
export function filledCell(operation: Operation, place: CellPlace, sum: CellSum, config: ClipTextConfig): Formula {
  const made = filled(operation, sum, config);
  const cell = at(operation.symbol, String(place.row), ',', String(place.column));
  return math(cell, '=', ...(made ? [made, '='] : []), numeral(sum.total));
}
