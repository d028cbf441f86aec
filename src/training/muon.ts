/**
 * Muon: momentum whose matrices are made orthogonal before they are added, so that a step goes equally far in all directions of a layer,
 * and not in those of the largest gradients alone (Jordan et al. 2024). Steps are as long as AdamW's would be, by the factor of Liu et
 * al. 2025, so that both share a learning rate.
 */

import type { AdamWMoments } from './adamW.ts';
import type { ParameterPlace, ParameterSet } from './parameters.ts';
import type { Floats, Products } from './products.ts';

export interface MuonSettings {
  /** Share of the old momentum that stays in a step. */
  readonly momentum: number;
  readonly weightDecay: number;
}

/** Coefficients of the polynomial that drives singular values towards 1, and how often it is applied. */
const [first, third, fifth] = [3.4445, -4.775, 2.0315];
const iterations = 5;

/** Root mean square of an AdamW step's elements, in learning rates. */
const adamWLength = 0.2;

/** A tensor [N, …] as a matrix of N rows. */
const matrixOf = ({ shape, length }: Pick<ParameterPlace, 'shape' | 'length'>) => ({
  N: shape[0],
  K: length / shape[0],
});

export interface Muon {
  readonly products: Products;
  readonly isMatrix: (name: string) => boolean;
  /** Each has the length of the largest matrix. */
  readonly x: Floats;
  readonly y: Floats;
  /** Squares of the longest shorter side. */
  readonly gram: Floats;
  readonly square: Floats;
  readonly polynomial: Floats;
}

/** Makes room for steps of the matrices that `isMatrix` names. */
export function createMuon(
  products: Products,
  places: Iterable<Pick<ParameterPlace, 'name' | 'shape' | 'length'>>,
  isMatrix: (name: string) => boolean,
): Muon {
  const matrices = [...places].filter(({ name }) => isMatrix(name));
  const largest = Math.max(0, ...matrices.map(({ length }) => length));
  const shorter = Math.max(0, ...matrices.map((place) => Math.min(...Object.values(matrixOf(place)))));
  const square = () => products.allocate(shorter * shorter);
  return {
    ...{ products, isMatrix },
    x: products.allocate(largest),
    y: products.allocate(largest),
    ...{ gram: square(), square: square(), polynomial: square() },
  };
}

/** Drives the singular values of x [N, K] to about 1, in place. */
export function orthogonalise({ products, x, y, gram, square, polynomial }: Muon, N: number, K: number): void {
  const count = N * K;
  const side = Math.min(N, K);
  let squares = 0;
  for (let i = 0; i < count; i++) squares += x[i] * x[i];
  const scale = 1 / (Math.sqrt(squares) + 1e-7);
  for (let i = 0; i < count; i++) x[i] *= scale;
  for (let iteration = 0; iteration < iterations; iteration++) {
    if (N <= K) products.forward(gram, x, x, null, N, K, N);
    else {
      gram.fill(0, 0, side * side);
      products.weightGradient(gram, x, x, N, K, K);
    }
    products.forward(square, gram, gram, null, side, side, side);
    for (let i = 0; i < side * side; i++) polynomial[i] = third * gram[i] + fifth * square[i];
    if (N <= K) products.inputGradient(y, polynomial, x, N, K, N);
    else products.forward(y, x, polynomial, null, N, K, K);
    for (let i = 0; i < count; i++) x[i] = first * x[i] + y[i];
  }
}

/** Writes to `directions` where each matrix is to go: its momentum, which is the first of the moments, one step ahead as Nesterov's. */
export function drawDirections(
  { isMatrix }: Muon,
  { places, gradients }: ParameterSet,
  { first: momenta }: AdamWMoments,
  { momentum }: MuonSettings,
  directions: Floats,
): void {
  for (const { name, offset, length } of places.values()) {
    if (!isMatrix(name)) continue;
    for (let i = offset; i < offset + length; i++) {
      momenta[i] = momentum * momenta[i] + gradients[i];
      directions[i] = gradients[i] + momentum * momenta[i];
    }
  }
}

/** Makes the direction of one matrix orthogonal, in place. */
export function orthogonalDirection(muon: Muon, place: ParameterPlace, directions: Floats): void {
  const { offset, length } = place;
  const { N, K } = matrixOf(place);
  muon.x.set(directions.subarray(offset, offset + length));
  orthogonalise(muon, N, K);
  directions.set(muon.x.subarray(0, length), offset);
}

/** Makes a step of all matrices, in orthogonal directions. */
export function followDirections(
  { isMatrix }: Muon,
  { places, values }: ParameterSet,
  { weightDecay }: MuonSettings,
  learningRate: number,
  directions: Floats,
): void {
  for (const place of places.values()) {
    if (!isMatrix(place.name)) continue;
    const { offset, length } = place;
    const { N, K } = matrixOf(place);
    const rate = learningRate * adamWLength * Math.sqrt(Math.max(N, K));
    const kept = 1 - learningRate * weightDecay;
    for (let i = offset; i < offset + length; i++) values[i] = kept * values[i] - rate * directions[i];
  }
}
