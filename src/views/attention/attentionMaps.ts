/** One attention map, ready to be drawn. */
export interface ShownMap {
  /** [L, L] Probabilities. */
  readonly map: Float32Array;
  /** [L, L] 0 where masked. */
  readonly mask: Uint8Array;
  readonly L: number;
  /** Tokens on show, as queries and as keys. */
  readonly shown: readonly number[];
  /** [L] */
  readonly labels: readonly string[];
}

/** Lines fainter than this cannot be seen. */
export const faintest = 0.01;

/**
 * Returns the indices of the tokens on show, given the kind of each. Only the first `ready` tokens are computed yet.
 */
export function shownTokens(
  kinds: readonly string[],
  { bos, pad }: { readonly bos: boolean; readonly pad: boolean },
  ready = kinds.length,
): number[] {
  return kinds.slice(0, ready).flatMap((kind, i) => ((kind === 'bos' && !bos) || (kind === 'pad' && !pad) ? [] : [i]));
}

/** [L, L] One head of `attentions` [N, h, L, L], without copying. */
export function headMap(attentions: Float32Array, layer: number, head: number, heads: number, L: number): Float32Array {
  const at = (layer * heads + head) * L * L;
  return attentions.subarray(at, at + L * L);
}

/** [L, L] Mean over the heads of one layer. */
export function meanMap(attentions: Float32Array, layer: number, heads: number, L: number): Float32Array {
  const mean = new Float32Array(L * L);
  for (let head = 0; head < heads; head++) {
    const map = headMap(attentions, layer, head, heads, L);
    for (let i = 0; i < mean.length; i++) mean[i] += map[i] / heads;
  }
  return mean;
}

/** Returns the largest value in some rows and columns of `maps` [·, L, L]. */
export function largest(maps: Float32Array, L: number, rows: readonly number[], columns: readonly number[]): number {
  let max = 0;
  for (let at = 0; at < maps.length; at += L * L)
    for (const row of rows) for (const column of columns) max = Math.max(max, maps[at + row * L + column]);
  return max;
}

/** Computes the entropy of one row of probabilities in bits; 0 log 0 is 0. */
export function entropy(map: Float32Array, L: number, row: number): number {
  let bits = 0;
  for (let j = 0; j < L; j++) {
    const p = map[row * L + j];
    if (p > 0) bits -= p * Math.log2(p);
  }
  return bits;
}

/** Returns the keys that a query attends to most, strongest first. */
export function strongestKeys(map: Float32Array, L: number, row: number, count: number): number[] {
  return Array.from({ length: L }, (_, j) => j)
    .filter((j) => map[row * L + j] > 0)
    .toSorted((a, b) => map[row * L + b] - map[row * L + a])
    .slice(0, count);
}
