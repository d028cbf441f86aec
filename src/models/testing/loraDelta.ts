import type { LoraUpdate } from '../loraFile.ts';

/** Computes ΔW = multiplier · (alpha / r) · up · down, [out, in], in float64: the judge of faster ways to add it. */
export function loraDelta({ rank, down, up, alpha }: LoraUpdate, multiplier: number): Float64Array {
  const scale = multiplier * (alpha / rank);
  const [out, into] = [up.length / rank, down.length / rank];
  const delta = new Float64Array(out * into);
  for (let o = 0; o < out; o++) {
    for (let r = 0; r < rank; r++) {
      const weight = up[o * rank + r];
      for (let i = 0; i < into; i++) delta[o * into + i] += weight * down[r * into + i];
    }
    for (let i = 0; i < into; i++) delta[o * into + i] *= scale;
  }
  return delta;
}
