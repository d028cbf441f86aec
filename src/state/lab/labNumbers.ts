/** All numbers of the objective lab, from what the worker tells: float64, by the formulas that training uses. */

import { exp, log, sigmoid } from '../../models/elementary.ts';
import {
  type ClipLoss,
  clipLoss,
  clipLossBackward,
  type ObjectiveName,
  sigLipLoss,
  sigLipLossBackward,
} from '../../training/objective.ts';
import type { LabFrame } from '../../worker/lab/labMessages.ts';
import type { LabLayer } from './labSettings.ts';

/** The objective of the batch on show. Matrices are [N, N], texts by pictures. */
export interface ShownObjective {
  readonly name: ObjectiveName;
  readonly N: number;
  readonly temperature: number;
  readonly cosines: Float64Array;
  readonly S: Float64Array;
  /** Both softmaxes: retrieval by them is what either objective is for. */
  readonly clip: ClipLoss;
  readonly loss: number;
  readonly dS: Float64Array;
  /** ∂L/∂τ: where it is positive, this batch would like a smaller τ. */
  readonly dTemperature: number;
}

/** Computes eq. 61–64 from the cosines, or SigLIP's loss. `logScale` is −ln τ. */
export function shownObjective(
  name: ObjectiveName,
  { cosines, bias }: Pick<LabFrame, 'cosines' | 'bias'>,
  logScale: number,
): ShownObjective {
  const N = Math.sqrt(cosines.length);
  const scale = exp(logScale);
  const shift = name === 'siglip' ? bias : 0;
  const S = cosines.map((cosine) => scale * cosine + shift);
  const clip = clipLoss(S, N);
  const dS = name === 'clip' ? clipLossBackward(clip, N) : sigLipLossBackward(S, N);
  return {
    ...{ name, N, cosines, S, clip, dS },
    temperature: 1 / scale,
    loss: name === 'clip' ? clip.loss : sigLipLoss(S, N),
    dTemperature: -(scale ** 2) * dS.reduce((sum, gradient, at) => sum + gradient * cosines[at], 0),
  };
}

/** Loss that is to be won by a hundredth more or less of τ, below which a batch is said to be content with it. */
const slight = 1e-5;

/** Says in words which way ∂L/∂τ points. */
export function temperatureWish({ name, temperature, dTemperature }: ShownObjective): string {
  const curve = name === 'clip' ? 'softmax' : 'sigmoid';
  if (Math.abs(dTemperature * temperature) < 100 * slight) return `this batch likes the ${curve} as sharp as it is`;
  return `this batch would like a ${dTemperature > 0 ? 'sharper' : 'flatter'} ${curve}`;
}

/** The matrix of a layer, [N, N]. */
export function layerValues(shown: ShownObjective, layer: LabLayer): Float64Array {
  switch (layer) {
    case 'cosine':
      return shown.cosines;
    case 'logits':
      return shown.S;
    case 'byRow':
      return shown.clip.textToImage.probabilities;
    case 'byColumn':
      return shown.clip.imageToText.probabilities;
    case 'sigmoid':
      return shown.S.map(sigmoid);
    case 'gradient':
      return shown.dS;
    default:
      return layer satisfies never;
  }
}

/** Entropy of a distribution in bits: 0 for a certain choice, log₂ N where all are alike. */
export function entropyBits(probabilities: Iterable<number>): number {
  let sum = 0;
  for (const p of probabilities) if (p > 0) sum -= p * log(p);
  return sum / Math.LN2;
}

/** The softmax of a caption's row, or of a picture's column. [N] */
export function distribution({ clip, N }: ShownObjective, of: 'row' | 'column', index: number): Float64Array {
  return of === 'row'
    ? clip.textToImage.probabilities.slice(index * N, (index + 1) * N)
    : Float64Array.from({ length: N }, (_, i) => clip.imageToText.probabilities[i * N + index]);
}

/** The mean entropy of all rows in bits. */
export function meanRowEntropy(shown: ShownObjective): number {
  let sum = 0;
  for (let i = 0; i < shown.N; i++) sum += entropyBits(distribution(shown, 'row', i));
  return sum / shown.N;
}

/** Share of captions whose picture is the likeliest of the batch, and of pictures whose caption is; the same caption counts as right. */
export function batchRecall({ S, N }: ShownObjective, alike: ArrayLike<number>): { row: number; column: number } {
  let [row, column] = [0, 0];
  for (let i = 0; i < N; i++) {
    let [across, down] = [0, 0];
    for (let j = 1; j < N; j++) {
      if (S[i * N + j] > S[i * N + across]) across = j;
      if (S[j * N + i] > S[down * N + i]) down = j;
    }
    if (alike[across] === alike[i]) row++;
    if (alike[down] === alike[i]) column++;
  }
  return { row: row / N, column: column / N };
}

/** Bits by which CLIP's loss is better than choosing by chance, whose loss is ln N. */
export const bitsOverChance = (loss: number, N: number): number => (log(N) - loss) / Math.LN2;

/** How often each caption is in the batch. `alike` [N] has the first row of each. */
export function multiplicities(alike: ArrayLike<number>): number[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < alike.length; i++) counts.set(alike[i], (counts.get(alike[i]) ?? 0) + 1);
  return Array.from({ length: alike.length }, (_, i) => counts.get(alike[i])!);
}

/**
 * The least loss that a batch with these captions can have. One text has one u, so a picture whose caption is there m times gets at
 * most 1/m of the softmax on average: ln m. For SigLIP one of its m equal logits wants to be large and the others small, which costs
 * ln m + (m − 1) ln(m / (m − 1)).
 */
export function lossFloor(name: ObjectiveName, alike: ArrayLike<number>): number {
  const costs = multiplicities(alike).map((m) =>
    m === 1 ? 0 : log(m) + (name === 'siglip' ? (m - 1) * log(m / (m - 1)) : 0),
  );
  return costs.reduce((a, b) => a + b, 0) / alike.length;
}

/** The numbers of one cell. */
export interface CellNumbers {
  readonly cosine: number;
  readonly logit: number;
  /** The picture's probability for the caption, and the caption's for the picture. */
  readonly byRow: number;
  readonly byColumn: number;
  readonly gradient: number;
}

export function cellNumbers({ cosines, S, clip, dS, N }: ShownObjective, row: number, column: number): CellNumbers {
  const at = row * N + column;
  return {
    cosine: cosines[at],
    logit: S[at],
    byRow: clip.textToImage.probabilities[at],
    byColumn: clip.imageToText.probabilities[at],
    gradient: dS[at],
  };
}

/** The columns of a row, or rows of a column, with the largest probabilities: at most `count`, the likeliest first. */
export function likeliest(probabilities: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: probabilities.length }, (_, i) => i)
    .sort((a, b) => probabilities[b] - probabilities[a])
    .slice(0, count);
}
