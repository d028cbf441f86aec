/** Equations 60–64, and SigLIP's loss, each with the numbers of a batch. */

import { at, type Formula, fraction, math, sub, sum, words } from '../../clip/formula.ts';
import type { ShownObjective } from '../../state/lab/labNumbers.ts';
import type { LabLayer } from '../../state/lab/labSettings.ts';
import type { LabFrame } from '../../worker/lab/labMessages.ts';

/** An equation: its number, as in the lecture, or a name; the layer that it makes. */
export interface LabEquation {
  readonly number: string;
  readonly title: string;
  readonly layer: LabLayer | null;
  /** Parts that stand side by side, or below each other where there is no room. */
  readonly formula: readonly Formula[];
  /** The formula again, with the numbers of this batch. */
  readonly numbers: readonly Formula[];
}

/** A number as symbols of a formula: its sign apart. */
const value = (number: number, digits = 3): string =>
  number < 0 ? `− ${(-number).toFixed(digits)}` : number.toFixed(digits);

/** `(0.12, −0.30, …, 0.08)` of a row. */
function rowText(row: Float64Array): Formula {
  const shown = [row[0], row[1], row[row.length - 1]].map((number) => number.toFixed(2).replace('-', '−'));
  return words(`(${shown[0]}, ${shown[1]}, …, ${shown[2]})`);
}

/** −log of a part, a space between them. */
const minusLog = (part: Formula | string) => math('− log', words('\u2009'), part);
const norm = (part: Formula) => math('‖', part, '‖');
const encoder = (name: string, input: string, index: string) => math(words(name), '(', at(input, index), ')');

/** The equations for the cell of a caption and a picture. */
export function labEquations(
  shown: ShownObjective,
  { u, v, E }: Pick<LabFrame, 'u' | 'v' | 'E'>,
  row: number,
  column: number,
): LabEquation[] {
  const { N, S, cosines, temperature, loss, dS, name } = shown;
  const cell = row * N + column;
  const [i, j] = [String(row + 1), String(column + 1)];
  const rowOf = (rows: Float64Array, index: number) => rows.subarray(index * E, (index + 1) * E);
  const vectors: LabEquation = {
    number: '60',
    title: 'Rows of length 1',
    layer: null,
    formula: [
      math(at('u', 'i'), '=', fraction(encoder('TextEncoder', 't', 'i'), norm(encoder('TextEncoder', 't', 'i')))),
      math(at('v', 'j'), '=', fraction(encoder('ImageEncoder', 'I', 'j'), norm(encoder('ImageEncoder', 'I', 'j')))),
    ],
    numbers: [
      math(at('u', i), '=', rowText(rowOf(u, row))),
      math(at('v', j), '=', rowText(rowOf(v, column))),
      words(`${E} numbers each`),
    ],
  };
  const bias = name === 'siglip' ? S[cell] - cosines[cell] / temperature : 0;
  const similarity: LabEquation = {
    number: '61',
    title: 'Similarities',
    layer: 'logits',
    formula: [
      math(
        at('S', 'i j'),
        '=',
        fraction(math('⟨', at('u', 'i'), ',', at('v', 'j'), '⟩'), 'τ'),
        ...(name === 'siglip' ? ['+ b'] : []),
      ),
    ],
    numbers: [
      math(
        at('S', `${i} , ${j}`),
        '=',
        fraction(value(cosines[cell]), value(temperature, 4)),
        ...(name === 'siglip' ? [value(bias, 2)] : []),
        '=',
        value(S[cell], 2),
      ),
    ],
  };
  if (name === 'siglip') return [vectors, similarity, sigLip(shown, i, j, cell)];
  return [vectors, similarity, ...crossEntropies(shown, row, column), whole(loss, shown, dS[cell], i, j)];
}

/** Eq. 62 and 63, each with the row or the column of the cell. */
function crossEntropies({ clip, N }: ShownObjective, row: number, column: number): LabEquation[] {
  const direction = (first: string, second: string) => sub('L', words(`${first}→${second}`));
  const formula = (from: Formula, diagonal: string, entry: string) => [
    math(
      from,
      '=',
      fraction('1', 'N'),
      sum('i', 'N'),
      minusLog(fraction(math('exp (', at('S', diagonal), ')'), math(sum('j', 'N'), 'exp (', at('S', entry), ')'))),
    ),
  ];
  const numbers = (from: Formula, loss: number, index: number, probability: number) => [
    math(from, '=', value(loss)),
    math(words(`for i = ${index + 1}:\u2002`), minusLog(value(probability, 4)), '=', value(-Math.log(probability))),
  ];
  const { textToImage, imageToText } = clip;
  const [texts, images] = [direction('Text', 'Image'), direction('Image', 'Text')];
  return [
    {
      number: '62',
      title: 'Softmax by row',
      layer: 'byRow',
      formula: formula(texts, 'i i', 'i j'),
      numbers: numbers(texts, textToImage.loss, row, textToImage.probabilities[row * (N + 1)]),
    },
    {
      number: '63',
      title: 'Softmax by column',
      layer: 'byColumn',
      formula: formula(images, 'i i', 'j i'),
      numbers: numbers(images, imageToText.loss, column, imageToText.probabilities[column * (N + 1)]),
    },
  ];
}

/** Eq. 64, and its gradient. */
function whole(loss: number, { clip }: ShownObjective, gradient: number, i: string, j: string): LabEquation {
  const [texts, images] = [clip.textToImage.loss, clip.imageToText.loss];
  const all = sub('L', words('CLIP'));
  return {
    number: '64',
    title: 'The objective',
    layer: 'gradient',
    formula: [
      math(all, '=', fraction('1', '2'), '(', sub('L', words('Text→Image')), '+', sub('L', words('Image→Text')), ')'),
    ],
    numbers: [
      math(all, '=', fraction('1', '2'), `( ${value(texts)} + ${value(images)} ) = ${value(loss)}`),
      math(fraction(math('∂', all), math('∂', at('S', `${i} , ${j}`))), `= ${value(gradient, 5)}`),
    ],
  };
}

/** SigLIP's loss, which stands in the place of eq. 62–64. */
function sigLip({ loss, S, dS }: ShownObjective, i: string, j: string, cell: number): LabEquation {
  const agreement = i === j ? S[cell] : -S[cell];
  return {
    number: 'SigLIP',
    title: 'Sigmoid loss',
    layer: 'gradient',
    formula: [
      math('L =', fraction('1', 'N'), sum('i , j'), minusLog(math('σ (', at('z', 'i j'), at('S', 'i j'), ')'))),
      math(at('z', 'i j'), '=', words('1 on the diagonal, else −1')),
    ],
    numbers: [
      math('L =', value(loss)),
      math(minusLog(`σ ( ${value(agreement, 2)} )`), '=', value(Math.log1p(Math.exp(-agreement)))),
      math(fraction('∂ L', math('∂', at('S', `${i} , ${j}`))), `= ${value(dS[cell], 5)}`),
    ],
  };
}
