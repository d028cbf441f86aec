/**
 * The objective (eq. 60–64), and SigLIP's, forward and backward side by side. All of it is float64, whatever the features are: it is
 * a small part of a step, and its differences of nearly equal numbers are where float32 loses most. Letters: N pairs in the batch,
 * E numbers in a feature row. Rows of S are texts, its columns pictures. A gradient has the name of its tensor with d before it.
 */

import { exp, log, log1p, sigmoid } from '../models/elementary.ts';
import type { Floats } from './products.ts';

/** Least norm that a row is divided by, as in PyTorch's F.normalize, which open_clip uses. */
const leastNorm = 1e-12;

export interface NormalisedRows {
  /** [N, E] */
  readonly rows: Float64Array;
  /** [N], the norms that the rows were divided by. */
  readonly norms: Float64Array;
}

/** Each row divided by its L2 norm (eq. 60). features [N, E]. */
export function normalise(features: Floats, E: number): NormalisedRows {
  const rows = new Float64Array(features.length);
  const norms = new Float64Array(features.length / E);
  for (let i = 0; i < norms.length; i++) {
    let squares = 0;
    for (let c = i * E; c < (i + 1) * E; c++) squares += features[c] * features[c];
    norms[i] = Math.max(Math.sqrt(squares), leastNorm);
    for (let c = i * E; c < (i + 1) * E; c++) rows[c] = features[c] / norms[i];
  }
  return { rows, norms };
}

/** dfeatures [N, E] from the gradient of the normalised rows: its part across each row, divided by the norm. */
export function normaliseBackward({ rows, norms }: NormalisedRows, drows: Float64Array): Float64Array {
  const E = rows.length / norms.length;
  const dfeatures = new Float64Array(rows.length);
  for (let i = 0; i < norms.length; i++) {
    let along = 0;
    // A row that is divided by the least norm is only scaled.
    if (norms[i] > leastNorm) for (let c = i * E; c < (i + 1) * E; c++) along += rows[c] * drows[c];
    for (let c = i * E; c < (i + 1) * E; c++) dfeatures[c] = (drows[c] - rows[c] * along) / norms[i];
  }
  return dfeatures;
}

/** S = ⟨u, v⟩ / τ (eq. 61), plus SigLIP's bias. u, v [N, E]; `scale` is 1 / τ → [N, N]. */
export function similarity(u: Float64Array, v: Float64Array, E: number, scale: number, bias = 0): Float64Array {
  const N = u.length / E;
  const S = new Float64Array(N * N);
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++) {
      let sum = 0;
      for (let c = 0; c < E; c++) sum += u[i * E + c] * v[j * E + c];
      S[i * N + j] = scale * sum + bias;
    }
  return S;
}

/** Gradients of u and v [N, E], of ln `scale`, and of the bias. dS [N, N]. */
export function similarityBackward(
  dS: Float64Array,
  u: Float64Array,
  v: Float64Array,
  E: number,
  scale: number,
): { du: Float64Array; dv: Float64Array; dlogScale: number; dbias: number } {
  const N = u.length / E;
  const du = new Float64Array(u.length);
  const dv = new Float64Array(v.length);
  let [dlogScale, dbias] = [0, 0];
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++) {
      const gradient = dS[i * N + j];
      let cosine = 0;
      for (let c = 0; c < E; c++) {
        du[i * E + c] += scale * gradient * v[j * E + c];
        dv[j * E + c] += scale * gradient * u[i * E + c];
        cosine += u[i * E + c] * v[j * E + c];
      }
      dlogScale += gradient * scale * cosine;
      dbias += gradient;
    }
  return { du, dv, dlogScale, dbias };
}

export interface CrossEntropy {
  readonly loss: number;
  /** [N, N]: the softmax of each text's row, or of each picture's column. */
  readonly probabilities: Float64Array;
}

/** Cross-entropy of each row (eq. 62) or column (eq. 63) of S [N, N] against the diagonal. */
function crossEntropy(S: Float64Array, N: number, line: number, entry: number): CrossEntropy {
  const probabilities = new Float64Array(N * N);
  let loss = 0;
  for (let i = 0; i < N; i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < N; j++) largest = Math.max(largest, S[i * line + j * entry]);
    let sum = 0;
    for (let j = 0; j < N; j++) {
      const at = i * line + j * entry;
      probabilities[at] = exp(S[at] - largest);
      sum += probabilities[at];
    }
    for (let j = 0; j < N; j++) probabilities[i * line + j * entry] /= sum;
    loss += log(sum) - (S[i * (N + 1)] - largest);
  }
  return { loss: loss / N, probabilities };
}

/** Loss of choosing the picture for each text (eq. 62): softmax by row. S [N, N]. */
export function textToImageLoss(S: Float64Array, N: number): CrossEntropy {
  return crossEntropy(S, N, N, 1);
}

/** Loss of choosing the text for each picture (eq. 63): softmax by column. S [N, N]. */
export function imageToTextLoss(S: Float64Array, N: number): CrossEntropy {
  return crossEntropy(S, N, 1, N);
}

export interface ClipLoss {
  readonly textToImage: CrossEntropy;
  readonly imageToText: CrossEntropy;
  /** Mean of both. */
  readonly loss: number;
}

/** The symmetric loss (eq. 64). S [N, N]. */
export function clipLoss(S: Float64Array, N: number): ClipLoss {
  const textToImage = textToImageLoss(S, N);
  const imageToText = imageToTextLoss(S, N);
  return { textToImage, imageToText, loss: (textToImage.loss + imageToText.loss) / 2 };
}

/** dS [N, N]: the mean of both softmaxes less the identity, divided by N. */
export function clipLossBackward({ textToImage, imageToText }: ClipLoss, N: number): Float64Array {
  const byRow = textToImage.probabilities;
  const byColumn = imageToText.probabilities;
  return byRow.map((p, at) => {
    const target = at % (N + 1) === 0 ? 1 : 0;
    return (p - target + (byColumn[at] - target)) / (2 * N);
  });
}

/** SigLIP's loss: −Σ ln σ(±S) / N, + on the diagonal. It is divided by N, not by N². S [N, N]. */
export function sigLipLoss(S: Float64Array, N: number): number {
  let loss = 0;
  for (let at = 0; at < S.length; at++) {
    const agreement = at % (N + 1) === 0 ? S[at] : -S[at];
    loss += log1p(exp(-Math.abs(agreement))) - Math.min(agreement, 0);
  }
  return loss / N;
}

/** dS [N, N] */
export function sigLipLossBackward(S: Float64Array, N: number): Float64Array {
  return S.map((s, at) => (at % (N + 1) === 0 ? -sigmoid(-s) : sigmoid(s)) / N);
}

export type ObjectiveName = 'clip' | 'siglip';

/** The objective of one batch, with its gradients. */
export interface Objective {
  readonly loss: number;
  /** [N, E] */
  readonly u: Float64Array;
  /** [N, E] */
  readonly v: Float64Array;
  /** [N, N] */
  readonly S: Float64Array;
  /** [N, N] */
  readonly dS: Float64Array;
  /** Absent for SigLIP. */
  readonly clip?: ClipLoss;
  /** [N, E] */
  readonly dtext: Float64Array;
  /** [N, E] */
  readonly dimage: Float64Array;
  readonly dlogScale: number;
  /** 0 for CLIP, which has no bias. */
  readonly dbias: number;
}

/**
 * Computes a loss and its gradients from the features of both towers, [N, E] each, pair by pair. `logScale` is −ln τ, as it is stored
 * and learned; it is used as it is, without a clamp.
 */
export function objective(
  name: ObjectiveName,
  text: Floats,
  image: Floats,
  E: number,
  logScale: number,
  bias = 0,
): Objective {
  const N = text.length / E;
  const scale = exp(logScale);
  const texts = normalise(text, E);
  const images = normalise(image, E);
  const [u, v] = [texts.rows, images.rows];
  const S = similarity(u, v, E, scale, name === 'siglip' ? bias : 0);
  const clip = name === 'clip' ? clipLoss(S, N) : undefined;
  const loss = clip ? clip.loss : sigLipLoss(S, N);
  const dS = clip ? clipLossBackward(clip, N) : sigLipLossBackward(S, N);
  const { du, dv, dlogScale, dbias } = similarityBackward(dS, u, v, E, scale);
  const dtext = normaliseBackward(texts, du);
  const dimage = normaliseBackward(images, dv);
  return { loss, u, v, S, dS, clip, dtext, dimage, dlogScale, dbias: name === 'siglip' ? dbias : 0 };
}
