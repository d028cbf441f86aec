import type { Syntax } from '../../prompt/syntax.ts';
import { padded } from '../../weighting/rows.ts';

/**
 * Conditionings of one length, as the program makes them before it samples; each of `conditionings` and the result is
 * [·, d], in whole chunks. `empty` [L, d] is what the empty prompt encodes to.
 *
 * A1111 completes with the empty prompt where its setting "Pad prompt/negative prompt" is on, and samples them apart where
 * it is not; Compel's `pad_conditioning_tensors_to_same_length` does so too. ComfyUI repeats each up to the least common
 * multiple, which changes nothing for cross-attention.
 */
export function padToEqual(
  conditionings: readonly Float32Array[],
  syntax: Syntax,
  empty: Float32Array,
): Float32Array[] {
  switch (syntax) {
    case 'a1111':
    case 'compel': {
      const length = Math.max(...conditionings.map((rows) => rows.length));
      return conditionings.map((rows) =>
        rows.length === length ? rows : Float32Array.from(padded(rows, length, empty)),
      );
    }
    case 'comfy': {
      const chunks = conditionings.map((rows) => rows.length / empty.length).reduce(leastCommonMultiple);
      return conditionings.map((rows) => repeated(rows, chunks * empty.length));
    }
    default:
      return syntax satisfies never;
  }
}

/** The parts of A1111's AND, [·, d] each: shorter ones are completed with their own last row (`stack_conds`). */
export function stackParts(parts: readonly Float32Array[], d: number): Float32Array[] {
  const length = Math.max(...parts.map((rows) => rows.length));
  return parts.map((rows) =>
    rows.length === length ? rows : Float32Array.from(padded(rows, length, rows.subarray(rows.length - d))),
  );
}

function repeated(rows: Float32Array, length: number): Float32Array {
  if (rows.length === length) return rows;
  const out = new Float32Array(length);
  for (let at = 0; at < length; at += rows.length) out.set(rows, at);
  return out;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a * b) / x;
}
