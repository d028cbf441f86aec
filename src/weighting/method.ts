/** A weighting method as a value, and the prompt that it weighs. L, d as in clip/config.ts; n chunks of a prompt. */
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { Syntax } from '../prompt/syntax.ts';

/** One row of the encoder's input, with the weights of its tokens. */
export interface WeightedChunk {
  /** The input without weights. */
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

/** A prompt as every method takes it: made by road/weightedPrompt.ts. */
export interface WeightedPrompt {
  readonly chunks: readonly WeightedChunk[];
  /** BOS, EOS and PAD. */
  readonly empty: EncoderPass;
  /** The fragments that weigh less than 1 and have tokens, in order. */
  readonly downweighted: readonly Downweighted[];
  /** The chunks with their rows as the typed maps of general weighting leave them; missing where no options say any. */
  readonly mapped?: readonly WeightedChunk[];
  /**
   * Other texts that A1111 encodes in one batch with this one: those of the other steps of a schedule, repeats included. By
   * every method the conditioning has as many chunks as the longest of them.
   */
  readonly batch?: readonly (readonly WeightedChunk[])[];
}

/**
 * Gives the encoder's output for a pass, [L, d]: lastHiddenState, or the one that clipSkip.ts takes in its place. It is
 * asked for the same pass more than once.
 */
export type ZOf = (pass: EncoderPass) => Float32Array;

/** A summand of a conditioning: share · (base + (z − base) · w), z and w those of `chunks`. */
export interface Version {
  /** The part that it is of the sum. */
  readonly share: number;
  /** The row of zeros, or that of the empty prompt at the same place, which is read only for chunks with a weight. */
  readonly base: 'zero' | 'empty';
  /** The prompt, whole or without something. Missing chunks are completed with the empty prompt, weighing 1. */
  readonly chunks: readonly WeightedChunk[];
  /** Says what it is; null where the method is no sum over versions of the prompt. */
  readonly describe: (() => VersionDescription) | null;
}

export interface VersionDescription {
  /** Its name in the formula: `E₀`, `B₁`. */
  readonly symbol: string;
  readonly meaning: string;
  /** The share before division by the sum of all: Compel's λ. Elsewhere the share. */
  readonly factor: number;
  /** The rows that are masked, removed or replaced in it, among those of all chunks. */
  readonly without: readonly number[];
}

/** Chunks of which the weights leave the mean as it is: the result is multiplied by mean(z) / mean(w · z) over all of them. */
export interface RestoredMean {
  /** The chunk of the conditioning that is multiplied; null where it is every chunk. */
  readonly at: number | null;
  /** That chunk first. The others are read only where one of them or it has a weight. */
  readonly chunks: readonly WeightedChunk[];
}

/** A change at the rows of a word, added to the sum: factor · (z − v), v the output for the chunk without the word. */
export interface WordChange {
  readonly word: number;
  /** The chunk that it is in, and its place among the chunks. */
  readonly chunk: WeightedChunk;
  readonly at: number;
  readonly without: WeightedChunk;
  /** [L] Read at the rows of the word alone. */
  readonly factors: Float64Array;
}

/** A quantity in a formula. */
export interface Term {
  /** Its name: `w`, `mean(z)`, `‖z‖`. */
  readonly symbol: string;
  readonly meaning: string;
  readonly value: number;
}

/** Methods of a family are drawn in one colour. */
export type Family = 'plain' | 'a1111' | 'compel' | 'comfy' | 'down';

/** A way from encoder outputs to a conditioning; apply.ts says how these values become passes, rows and sums. */
export interface Method {
  /** The name in links, in files and on the command line. */
  readonly name: string;
  /** The name on the page. */
  readonly label: string;
  readonly help: string;
  /** Program and version, or equation. */
  readonly source: string;
  /** In plain text: `z″ = w · z · mean(z) / mean(z′)`. */
  readonly formula: string;
  readonly family: Family;
  /** The program that weighs like this if it is told nothing. */
  readonly ownOf?: Syntax;
  /** Whether ADV_CLIP_emb normalises the weights for it. */
  readonly normalises: boolean;
  /** Whether the `check.py` that an export shows can recompute it. */
  readonly isChecked: boolean;
  readonly versions: (prompt: WeightedPrompt) => readonly Version[];
  readonly means?: (prompt: WeightedPrompt) => readonly RestoredMean[];
  readonly wordChanges?: (prompt: WeightedPrompt) => readonly WordChange[];
  /** Quantities of the formula beside those that follow from the above, for a row of the conditioning. */
  readonly terms?: (prompt: WeightedPrompt, row: number) => readonly Term[];
}

/** The whole prompt as the only version. */
export function wholePrompt(base: Version['base'], chunks: readonly WeightedChunk[]): Version[] {
  return [{ share: 1, base, chunks, describe: null }];
}

/** Leaves out passes that are the same to the encoder. */
export function distinct(passes: readonly EncoderPass[]): EncoderPass[] {
  return [...new Map(passes.map((pass) => [passKey(pass), pass])).values()];
}

/**
 * Lists the passes that a computation reads: not more, and nothing twice. It is run on outputs of width 1, all zeros, so
 * it must read the same whatever the outputs are.
 */
export function passesRead(compute: (zOf: ZOf) => unknown): EncoderPass[] {
  const read = new Set<EncoderPass>();
  let zeros = new Float32Array(0);
  compute((pass) => {
    read.add(pass);
    if (zeros.length !== pass.inputIds.length) zeros = new Float32Array(pass.inputIds.length);
    return zeros;
  });
  return distinct([...read]);
}

export function isWeighted({ perTokenWeights }: WeightedChunk): boolean {
  return perTokenWeights.some((weight) => weight !== 1);
}

/** Finds the rows of a light fragment, among those of all chunks. */
export function maskedRows({ chunks, empty }: WeightedPrompt, { masked }: Downweighted): number[] {
  const L = empty.inputIds.length;
  return chunks.flatMap(({ pass }, at) =>
    Array.from(pass.keyMask.keys())
      .filter((row) => pass.keyMask[row] > masked[at].pass.keyMask[row])
      .map((row) => at * L + row),
  );
}

/** Sets all weights of a chunk to 1. */
export function unweighted(chunk: WeightedChunk): WeightedChunk {
  return { ...chunk, perTokenWeights: chunk.perTokenWeights.map(() => 1) };
}

/** Counts the chunks of the longest text of a batch: A1111 encodes all of them with as many, whatever the emphasis. */
export function batchLength({ chunks, batch = [] }: WeightedPrompt): number {
  return Math.max(chunks.length, ...batch.map((text) => text.length));
}

/** Completes chunks with the empty prompt, [n]. */
export function completed(
  chunks: readonly WeightedChunk[],
  n: number,
  prompt: Pick<WeightedPrompt, 'empty'>,
): WeightedChunk[] {
  return Array.from({ length: n }, (_, at) => chunks[at] ?? filler(prompt));
}

/** Makes the chunk that completes a prompt to as many as a longer one has: the empty prompt, weighing 1. */
export function filler({ empty }: Pick<WeightedPrompt, 'empty'>): WeightedChunk {
  const L = empty.inputIds.length;
  return { pass: empty, perTokenWeights: new Float64Array(L).fill(1), wordIds: new Uint32Array(L) };
}
