/** What every weighting method is made of. L, d as in clip/config.ts; n chunks of a prompt. */
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';

/** One row of the encoder's input, and what a method weighs its tokens by. */
export interface WeightedChunk {
  /** As it is encoded without weights. */
  readonly pass: EncoderPass;
  /** [L] */
  readonly perTokenWeights: Float64Array;
  /** [L] One number for all tokens of a word or segment, through all chunks; 0 for BOS, EOS and PAD. */
  readonly wordIds: Uint32Array;
}

/** A fragment that weighs less than 1, and the prompt without it in Compel's two ways. */
export interface Downweighted {
  readonly weight: number;
  /** Its tokens stay where they are, and nothing attends to them. */
  readonly masked: readonly WeightedChunk[];
  /** Its tokens are gone, and what follows moves up: there may be fewer chunks, or by other splits more. */
  readonly removed: readonly WeightedChunk[];
}

/** A prompt as every method takes it: made by weightedPrompt.ts. */
export interface WeightedPrompt {
  readonly chunks: readonly WeightedChunk[];
  /** BOS, EOS and PAD. */
  readonly empty: EncoderPass;
  /** What weighs less than 1 and has tokens, in order. */
  readonly downweighted: readonly Downweighted[];
  /** The other texts A1111 encodes in one batch with this one: those of the other steps of a schedule, repeats included. */
  readonly batch?: readonly (readonly WeightedChunk[])[];
}

/**
 * What the encoder makes of a pass, [L, d]: lastHiddenState, or what clipSkip.ts takes in its place. Asked for the same
 * pass more than once.
 */
export type ZOf = (pass: EncoderPass) => Float32Array;

/** From encoder outputs to a conditioning. */
export interface Method {
  /** What has to be encoded: not more, and nothing twice. */
  readonly passes: (prompt: WeightedPrompt) => EncoderPass[];
  /** The conditioning [L·n, d]; asks for the outputs of `passes` alone. Computed in float64. */
  readonly combine: (prompt: WeightedPrompt, zOf: ZOf) => Float32Array;
}

/** The passes without those that are the same to the encoder. */
export function distinct(passes: readonly EncoderPass[]): EncoderPass[] {
  return [...new Map(passes.map((pass) => [passKey(pass), pass])).values()];
}

export function isWeighted({ perTokenWeights }: WeightedChunk): boolean {
  return perTokenWeights.some((weight) => weight !== 1);
}

/** The rows of a light fragment, among those of all chunks. */
export function maskedRows({ chunks, empty }: WeightedPrompt, { masked }: Downweighted): number[] {
  const L = empty.inputIds.length;
  return chunks.flatMap(({ pass }, at) =>
    Array.from(pass.keyMask.keys())
      .filter((row) => pass.keyMask[row] > masked[at].pass.keyMask[row])
      .map((row) => at * L + row),
  );
}

/** The same rows, weighing 1. */
export function unweighted(chunk: WeightedChunk): WeightedChunk {
  return { ...chunk, perTokenWeights: chunk.perTokenWeights.map(() => 1) };
}

/** What completes a prompt to as many chunks as a longer one has: the empty prompt, weighing 1. */
export function filler({ empty }: WeightedPrompt): WeightedChunk {
  const L = empty.inputIds.length;
  return { pass: empty, perTokenWeights: new Float64Array(L).fill(1), wordIds: new Uint32Array(L) };
}

/** Rows under rows: [Lᵢ, d] each → [ΣLᵢ, d]. */
export function concatenate(parts: readonly ArrayLike<number>[]): Float64Array {
  const out = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Σ cᵢ zᵢ, of arrays of one length. */
export function weightedSum(
  terms: readonly { readonly factor: number; readonly z: ArrayLike<number> }[],
): Float64Array {
  const out = new Float64Array(terms[0].z.length);
  for (const { factor, z } of terms) for (let i = 0; i < out.length; i++) out[i] += factor * z[i];
  return out;
}
