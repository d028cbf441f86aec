import type { LabLayer } from '../../state/lab/labSettings.ts';
import type { ColourScale } from '../pictures/color.ts';
import { nothing, type Pointed } from '../pictures/pointed.ts';
import { probabilityScale, signedScale } from '../pictures/valueScales.ts';

export const layerNames: Readonly<Record<LabLayer, string>> = {
  cosine: 'Cosine',
  logits: 'Logits S',
  byRow: 'Softmax by row',
  byColumn: 'Softmax by column',
  sigmoid: 'Sigmoid',
  gradient: 'Gradient',
};

export const legendTitles: Readonly<Record<LabLayer, string>> = {
  cosine: '⟨u, v⟩',
  logits: 'S = ⟨u, v⟩ / τ (61)',
  byRow: 'picture’s probability for the caption (62)',
  byColumn: 'caption’s probability for the picture (63)',
  sigmoid: 'σ(S), whether they belong together',
  gradient: '∂L/∂S: blue is pulled up, orange pushed down',
};

/** The least of 1, 2, 5 × a power of ten that is not below a number: an end of a scale that seldom changes. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-12))!;
}

/** The largest size of a matrix's [N, N] values, with or without those of its diagonal. */
export function largestSize(values: Float64Array, N: number, withDiagonal: boolean): number {
  let largest = 0;
  for (let at = 0; at < values.length; at++)
    if (withDiagonal || at % (N + 1) !== 0) largest = Math.max(largest, Math.abs(values[at]));
  return largest;
}

/** The scale that a layer's values [N, N] are drawn by. */
export function layerScale(layer: LabLayer, values: Float64Array, N: number, dark: boolean): ColourScale {
  if (layer === 'byRow' || layer === 'byColumn' || layer === 'sigmoid') return probabilityScale('sqrt', 1);
  if (layer === 'cosine') return signedScale(1, dark);
  // The diagonal's gradients are N times as large as the others, which would all look alike.
  const reach = roundUp(largestSize(values, N, layer === 'logits'));
  return signedScale(reach, dark, largestSize(values, N, true) > reach);
}

/** A caption is pointed at as a query, a picture as a key. */
export const cellAt = (row: number, column: number): Pointed => ({ ...nothing, query: row, key: column });
