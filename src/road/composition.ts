import type { EncoderPass } from '../clip/encoderPass.ts';
import { type Slices, whole } from '../prompt/slices.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { type MethodRows, methodRows } from '../weighting/apply.ts';
import { filler, type Method, passesRead, type WeightedPrompt, type ZOf } from '../weighting/method.ts';
import { moved, stackingRows, weightedSum } from '../weighting/rows.ts';

/** Prompts whose conditionings are added up; one prompt by a weight of 1 is itself. */
export interface Blend {
  readonly prompts: readonly WeightedPrompt[];
  /** [prompts] */
  readonly factors: readonly number[];
  /** Whether the factors are divided by their sum; a sum of 0 then leaves nothing finite, as in the original. */
  readonly normalise: boolean;
}

/**
 * The row at the first EOS of each chunk of a long prompt, after weighting: `own` keeps it. Compel 2.3 and later can replace
 * it with a copy of the first chunk's (COPY_FIRST_CLS_TOKEN) or with the mean over the chunks (MERGE_CLS_TOKENS).
 */
export const clsModes = ['own', 'COPY_FIRST_CLS_TOKEN', 'MERGE_CLS_TOKENS'] as const;
export type ClsMode = (typeof clsModes)[number];

/** Several prompts as Compel composes them: blends, joined along the tokens. */
export interface Composition {
  /** The conditioning of a part moves from that of the empty prompt by its weight: e + (c − e) w. */
  readonly parts: readonly { readonly blend: Blend; readonly weight: number }[];
  /** The prompt ''. */
  readonly empty: WeightedPrompt;
  /** `own` if missing: the program has no such choice. */
  readonly clsTokens?: ClsMode;
}

/** A conditioning that is computed a chunk at a time, as it is read. */
export interface LazyConditioning {
  /** The number of its chunks. */
  readonly n: number;
  /** Computes the rows of a chunk, [L, d]; past the last, those of the empty prompt, which completes it. */
  rowsOf(at: number): Float32Array;
}

/** Lists the passes that `compose` reads; those of the empty prompt only for part weights and for blends of unequal length. */
export function compositionPasses(method: Method, composition: Composition): EncoderPass[] {
  return passesRead((zOf) => compose(method, composition, zOf));
}

/** Computes all rows of a composition, [L·n, d]. */
export function compose(method: Method, composition: Composition, zOf: ZOf): Float32Array {
  return whole(stacking(composed(method, composition, zOf)));
}

/** Computes all rows of a conditioning, [L·n, d]. */
export function stacking({ n, rowsOf }: LazyConditioning): Slices<Float32Array> {
  return stackingRows(n, rowsOf);
}

/**
 * Compel's `.blend()` (as 2.2.1 computes it; 2.3 and 2.4 raise an error) and `.and()`, by any method. A blend
 * is Σ fᵢ cᵢ, with shorter conditionings completed with the empty prompt's. The parts follow one another.
 */
export function composed(method: Method, composition: Composition, zOf: ZOf): LazyConditioning {
  const fillerRows = fillerRowsOf(method, composition.empty, zOf);
  const empty = methodRows(method, composition.empty, zOf);
  const emptyRows = (at: number) => (at < empty.n ? empty.rowsOf(at) : fillerRows());
  const parts = composition.parts.map(({ blend, weight }) => {
    const { n, rowsOf } = blended(method, blend, composition, fillerRows, zOf);
    if (weight === 1) return { n, rowsOf };
    return { n, rowsOf: (at: number) => moved(rowsOf(at), emptyRows(at), [weight]) };
  });
  const chunks = parts.flatMap(({ n, rowsOf }) => Array.from({ length: n }, (_, at) => () => rowsOf(at)));
  const n = chunks.length;
  return { n, rowsOf: (at) => (at < n ? Float32Array.from(chunks[at]()) : fillerRows()) };
}

/**
 * Gives the rows [L, d] that complete a shorter conditioning, computed once: those of the empty prompt. Compel's are without a key mask,
 * whatever mask the prompt '' itself has.
 */
export function fillerRowsOf(method: Method, { empty }: WeightedPrompt, zOf: ZOf): () => Float32Array {
  let rows: Float32Array | undefined;
  return () => {
    rows ??= Float32Array.from(
      methodRows(method, { chunks: [filler({ empty })], empty, downweighted: [] }, zOf).rowsOf(0),
    );
    return rows;
  };
}

function blended(
  method: Method,
  { prompts, factors, normalise }: Blend,
  { clsTokens = 'own' }: Composition,
  fillerRows: () => Float32Array,
  zOf: ZOf,
): MethodRows {
  const conditionings = prompts.map((prompt) => withClsRows(prompt, clsTokens, methodRows(method, prompt, zOf)));
  const total = normalise ? factors.reduce((sum, factor) => sum + factor, 0) : 1;
  const rowsAt = ({ n, rowsOf }: LazyConditioning, at: number) => (at < n ? rowsOf(at) : fillerRows());
  return {
    n: Math.max(...conditionings.map(({ n }) => n)),
    rowsOf: (at) => weightedSum(conditionings.map((z, i) => ({ factor: factors[i] / total, z: rowsAt(z, at) }))),
  };
}

/** Rounds the rows of a prompt to float32, and replaces those at the first EOS of its chunks as `mode` says. */
function withClsRows({ chunks, empty }: WeightedPrompt, mode: ClsMode, { n, rowsOf }: MethodRows): LazyConditioning {
  const rounded = (at: number) => Float32Array.from(rowsOf(at));
  if (mode === 'own' || chunks.length === 1) return { n, rowsOf: rounded };
  const eosOf = (at: number) => chunks[at].pass.inputIds.indexOf(eosTokenId);
  const clsRow = (at: number) => Float32Array.from(rowsOf(at, eosOf(at), eosOf(at) + 1));
  let shared: ArrayLike<number> | undefined;
  return {
    n,
    rowsOf(at) {
      const rows = rounded(at);
      if (at >= chunks.length) return rows;
      shared ??= mode === 'MERGE_CLS_TOKENS' ? meanRow(chunks.map((_, at) => clsRow(at))) : clsRow(0);
      rows.set(shared, eosOf(at) * (rows.length / empty.inputIds.length));
      return rows;
    },
  };
}

function meanRow(rows: readonly Float32Array[]): Float64Array {
  const factor = 1 / rows.length;
  return weightedSum(rows.map((z) => ({ factor, z })));
}
