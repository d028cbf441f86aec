/** A model's parameters end to end in one array, and their gradients in another, so that the optimiser runs over both once. */

import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import type { Floats } from './products.ts';

/** A tensor of parameters and the gradient that backward passes add to. */
export interface Parameter {
  readonly value: Floats;
  readonly gradient: Floats;
}

export interface ParameterPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

export interface ParameterSet {
  readonly places: ReadonlyMap<string, ParameterPlace>;
  readonly values: Floats;
  readonly gradients: Floats;
}

/** Lays tensors out in the order of `shapes`, which has their names. All are zero. */
export function createParameters(
  shapes: ReadonlyMap<string, readonly number[]>,
  allocate: (length: number) => Floats,
): ParameterSet {
  const places = new Map<string, ParameterPlace>();
  let offset = 0;
  for (const [name, shape] of shapes) {
    const length = shape.reduce((a, b) => a * b, 1);
    places.set(name, { name, shape, offset, length });
    offset += length;
  }
  return { places, values: allocate(offset), gradients: allocate(offset) };
}

/** Views a tensor, or several that follow each other as one. Throws RangeError for a name that is not there, or not in its turn. */
export function parameter({ places, values, gradients }: ParameterSet, ...names: readonly string[]): Parameter {
  let [from, to] = [-1, -1];
  for (const name of names) {
    const place = places.get(name);
    if (!place) throw new RangeError(`There is no parameter ${name}.`);
    if (from < 0) from = place.offset;
    else if (place.offset !== to) throw new RangeError(`The parameter ${name} does not follow ${names[0]}.`);
    to = place.offset + place.length;
  }
  return { value: values.subarray(from, to), gradient: gradients.subarray(from, to) };
}

/** Rounds values to what a file of float16 holds of them. */
export function roundToFloat16(values: Floats): void {
  values.set(toFloat32(fromFloat32(Float32Array.from(values), 'F16'), 'F16'));
}
