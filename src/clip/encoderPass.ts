/** One row of a batch, the encoder's input: L ids and which of them attention may look at. */
export interface EncoderPass {
  /** [L] */
  readonly inputIds: Uint32Array;
  /** Key j is visible to query i only where j ≤ i (eq. 55). */
  readonly causal: boolean;
  /** [L], 1 where the token may be seen as a key, 0 where it is masked. */
  readonly keyMask: Uint8Array;
  /** Rows [d] that replace token embeddings at these positions, before the position embedding (textual inversion). */
  readonly vectors?: ReadonlyMap<number, Float32Array>;
  /** Says that the output is not the encoder's own but made of others'; such a pass is never encoded itself. */
  readonly derived?: Derivation;
}

/** How an output is made of those of other passes. A pass that is changed keeps it, and is derived as it is then. */
export interface Derivation {
  /** Names how: two with the same name make the same of the same pass. */
  readonly key: string;
  /** Says what an output is made of; `base` is the pass without a derivation, and the first of `from`. */
  of(base: EncoderPass): DerivedOutput;
}

export interface DerivedOutput {
  /** The passes that are encoded, none of them derived. */
  readonly from: readonly EncoderPass[];
  /** Makes the output [L, d] of theirs. */
  readonly make: (outputs: readonly Float32Array[]) => Float32Array;
}

const bases = new WeakMap<EncoderPass, EncoderPass>();

/** Gives the pass that is encoded for one that may be derived: the same object each time. */
export function basePass(pass: EncoderPass): EncoderPass {
  if (!pass.derived) return pass;
  const { derived: _, ...base } = pass;
  if (!bases.has(pass)) bases.set(pass, base);
  return bases.get(pass)!;
}

/** Results of a pass to read back, beyond lastHiddenState. */
export interface EncoderWant {
  /** Indices into transformers' `hidden_states`: 0 the embeddings, i the output of layer i before the final LayerNorm. */
  readonly hiddenStates: readonly number[];
  readonly attentions: boolean;
}

export interface EncoderOutput {
  /** [L, d], after the final LayerNorm. */
  readonly lastHiddenState: Float32Array;
  /** Index → [L, d]. */
  readonly hiddenStates: ReadonlyMap<number, Float32Array>;
  /** [N, h, L, L], probabilities; masked entries are exact zeros. */
  readonly attentions?: Float32Array;
}

/** Vectors' numbers by their text. The text is long, and a sweep makes thousands of keys with the same few vectors in them. */
const vectorNumbers = new Map<string, number>();
const knownVectors = new WeakMap<Float32Array, number>();
function vectorNumber(vector: Float32Array): number {
  let number = knownVectors.get(vector);
  if (number !== undefined) return number;
  const text = vector.join();
  number = vectorNumbers.get(text) ?? vectorNumbers.size;
  vectorNumbers.set(text, number);
  knownVectors.set(vector, number);
  return number;
}

const keys = new WeakMap<EncoderPass, string>();

/**
 * Names a pass, which must not change afterwards: two passes with the same key have the same outputs. Keys are of one process, as
 * vectors' numbers are. A key is made once for each pass: a plan asks for those of the same passes at each weight by each method.
 */
export function passKey(pass: EncoderPass): string {
  const known = keys.get(pass);
  if (known !== undefined) return known;
  const vectors = pass.vectors ? [...pass.vectors].map(([at, v]) => `${at}:${vectorNumber(v)}`).join(';') : '';
  const { derived } = pass;
  const made = derived ? `|${derived.key}` : '';
  const key = `${pass.causal ? 'c' : 'n'}|${pass.inputIds}|${pass.keyMask.join('')}|${vectors}${made}`;
  keys.set(pass, key);
  return key;
}
