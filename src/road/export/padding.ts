/** Makes conditionings equally long. */
import type { Syntax } from '../../prompt/syntax.ts';
import type { LazyConditioning } from '../composition.ts';

/**
 * Conditionings of one length, as the program makes them before it samples. `emptyOf` gives the chunks, [L, d], that the empty
 * prompt encodes to, again and again.
 *
 * A1111 completes with the empty prompt where its setting "Pad prompt/negative prompt" is on, and samples them apart where
 * it is not; Compel's `pad_conditioning_tensors_to_same_length` does so too. ComfyUI repeats each up to the least common
 * multiple, which changes nothing for cross-attention.
 */
export function padToEqual(
  conditionings: readonly LazyConditioning[],
  syntax: Syntax,
  emptyOf: (at: number) => Float32Array,
): LazyConditioning[] {
  switch (syntax) {
    case 'a1111':
    case 'compel':
      return completed(conditionings, (_, past) => emptyOf(past));
    case 'comfy': {
      const n = conditionings.map((each) => each.n).reduce(leastCommonMultiple);
      return conditionings.map((each) => (each.n === n ? each : { n, rowsOf: (at) => each.rowsOf(at % each.n) }));
    }
    default:
      return syntax satisfies never;
  }
}

/** The parts of A1111's AND, rows of width d: shorter ones are completed with their own last row (`stack_conds`). */
export function stackParts(parts: readonly LazyConditioning[], d: number): LazyConditioning[] {
  return completed(parts, ({ n, rowsOf }) => {
    const last = rowsOf(n - 1);
    return last.map((_, i) => last[last.length - d + (i % d)]);
  });
}

/** Completes the shorter to as many chunks as the longest has; `fillingOf` gives the chunk that is `past` chunks after its end. */
function completed(
  conditionings: readonly LazyConditioning[],
  fillingOf: (conditioning: LazyConditioning, past: number) => Float32Array,
): LazyConditioning[] {
  const n = Math.max(...conditionings.map((each) => each.n));
  return conditionings.map((each) =>
    each.n === n ? each : { n, rowsOf: (at) => (at < each.n ? each.rowsOf(at) : fillingOf(each, at - each.n)) },
  );
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a * b) / x;
}
