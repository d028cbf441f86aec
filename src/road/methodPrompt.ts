import type { Derivation, EncoderPass } from '../clip/encoderPass.ts';
import { withRowsAlone } from '../clip/maskEffects.ts';
import { encoderPass } from '../clip/masks.ts';
import { wordEnd } from '../tokens/bytePairs.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { fragmentTokens, normaliseLength } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import { wordsOf } from '../tokens/words.ts';
import type { WeightedChunk, WeightedPrompt } from '../weighting/method.ts';
import { type PsiMap, readPsi, rowsWithin } from '../weighting/psiMaps.ts';
import type { RowExpression, VectorName } from '../weighting/rowExpression.ts';
import type { PromptOptions } from './options.ts';
import { normalised } from './weightedPrompt.ts';

/**
 * A prompt as the methods take it: weights normalised and words taken out of their context as the options say, and beside it the
 * chunks as the maps of rows leave them.
 */
export function methodPrompt(prompt: WeightedPrompt, options: PromptOptions, tokenizer: Tokenizer): WeightedPrompt {
  const typed = normalised(prompt, options);
  const taken = options.context === 'alone' ? withoutContext(typed, tokenizer) : typed;
  let known: readonly WeightedChunk[] | undefined;
  return {
    ...taken,
    // Only the method that applies maps asks for them.
    get mapped() {
      known ??= mappedChunks(taken, options, tokenizer);
      return known;
    },
  };
}

/** The chunks with the maps of the options applied; as they are where there are none. */
function mappedChunks(
  { chunks, empty }: WeightedPrompt,
  options: PromptOptions,
  tokenizer: Tokenizer,
): readonly WeightedChunk[] {
  const { maps, reference } = readPsi(options.rowMaps);
  const used = maps.filter(({ expression }) => reference !== null || !expression.names.has('r'));
  if (used.length === 0) return chunks;
  const other = reference === null ? empty : plainChunk(reference, options, tokenizer).pass;
  return chunks.map((chunk, at) => mappedChunk(chunk, at, used, { empty, other }));
}

/** A text as it stands, without a language of weights: as much of it as one chunk holds, and the pass of that. */
export function plainChunk(text: string, options: PromptOptions, tokenizer: Tokenizer) {
  const places = Array.from({ length: text.length }, (_, i) => i);
  const fragment = { kind: 'text', text, weight: 1, starts: places, ends: places.map((i) => i + 1) } as const;
  const tokens = fragmentTokens([{ ...fragment, start: 0, end: text.length }], tokenizer, flavourOf(options));
  const { chunk } = normaliseLength(tokens, tokenizer);
  return { chunk, pass: encoderPass(chunk.inputIds, options.mask) };
}

/** Passes that maps of any chunk may read. */
interface OtherPasses {
  readonly empty: EncoderPass;
  readonly other: EncoderPass;
}

/** A map of rows of one chunk. */
interface ChunkMap {
  /** From 0 in the chunk. */
  readonly rows: readonly number[];
  readonly expression: RowExpression;
  readonly text: string;
}

/** A chunk whose output is the encoder's with the maps applied to its rows; the chunk itself where no map is for one of them. */
function mappedChunk(chunk: WeightedChunk, at: number, maps: readonly PsiMap[], others: OtherPasses): WeightedChunk {
  const L = chunk.pass.inputIds.length;
  const own = maps.flatMap(({ intervals, expression, text }): ChunkMap[] => {
    const rows = rowsWithin(intervals, at * L, (at + 1) * L).map((row) => row - at * L);
    return rows.length > 0 ? [{ rows, expression, text }] : [];
  });
  if (own.length === 0) return chunk;
  return { ...chunk, pass: { ...chunk.pass, derived: psiDerivation(own, chunk, others) } };
}

/** Maps rows of a chunk, after what its pass is derived by already. */
function psiDerivation(
  maps: readonly ChunkMap[],
  { perTokenWeights: weights, pass: { derived } }: WeightedChunk,
  { empty, other }: OtherPasses,
): Derivation {
  const written = maps.map(({ rows, text }) => `${rows}: ${text}`).join('; ');
  const isWeighed = maps.some(({ expression }) => expression.isWeighed);
  return {
    // The passes beside the chunk's own: the empty prompt's is the same for a mask, as the chunk's key says.
    key: `${derived ? `${derived.key}, ` : ''}psi ${written} r ${other.inputIds}${isWeighed ? ` w ${weights}` : ''}`,
    of(base) {
      const before = derived?.of(base) ?? { from: [base], make: ([z]: readonly Float32Array[]) => z };
      const own = maps.map((map) => ({ ...map, alone: withRowsAlone(base, map.rows) }));
      const passOf = (name: OtherName, alone: EncoderPass): EncoderPass =>
        name === 'empty' ? empty : name === 'r' ? other : alone;
      const from = [
        ...new Set([
          ...before.from,
          ...own.flatMap((map) => [...map.expression.names].filter(isOther).map((name) => passOf(name, map.alone))),
        ]),
      ];
      return {
        from,
        make(outputs) {
          const outputOf = (pass: EncoderPass) => outputs[from.indexOf(pass)];
          const z = before.make(before.from.map(outputOf));
          return mappedRows(z, own, weights, (name, alone) => outputOf(passOf(name, alone)));
        },
      };
    },
  };
}

/** Vectors that come from another pass. */
type OtherName = Exclude<VectorName, 'z' | 'mean'>;
const isOther = (name: VectorName): name is OtherName => name !== 'z' && name !== 'mean';

/** Applies maps to rows of z [L, d]. `outputOf` gives the output that has the rows of a name. */
function mappedRows(
  z: Float32Array,
  maps: readonly (ChunkMap & { readonly alone: EncoderPass })[],
  weights: Float64Array,
  outputOf: (name: OtherName, alone: EncoderPass) => Float32Array,
): Float32Array {
  const L = weights.length;
  const d = z.length / L;
  const made = z.slice();
  const mean = Float64Array.from({ length: d }, (_, c) => {
    let sum = 0;
    for (let row = 0; row < L; row++) sum += z[row * d + c];
    return sum / L;
  });
  for (const { rows, expression, alone } of maps)
    for (const row of rows) {
      const vector = (name: VectorName) =>
        name === 'mean' ? mean : (name === 'z' ? z : outputOf(name, alone)).subarray(row * d, (row + 1) * d);
      made.set(expression.row({ vector, w: weights[row] }), row * d);
    }
  return made;
}

/** Takes the rows of every word from a pass in which that word sees no other, in whatever version of the prompt a method makes. */
function withoutContext(prompt: WeightedPrompt, tokenizer: Tokenizer): WeightedPrompt {
  const derived: Derivation = {
    key: 'words alone',
    of(base) {
      const words = wordRows(base, tokenizer).filter(([row]) => row > 1);
      const alone = words.map((rows) => withRowsAlone(base, rows));
      return {
        from: [base, ...alone],
        make([z, ...others]) {
          const d = z.length / base.inputIds.length;
          const made = z.slice();
          for (const [i, rows] of words.entries())
            for (const row of rows) made.set(others[i].subarray(row * d, (row + 1) * d), row * d);
          return made;
        },
      };
    },
  };
  const taken = (chunk: WeightedChunk): WeightedChunk => ({ ...chunk, pass: { ...chunk.pass, derived } });
  return {
    ...prompt,
    chunks: prompt.chunks.map(taken),
    downweighted: prompt.downweighted.map((light) => ({
      weight: light.weight,
      get masked() {
        return light.masked.map(taken);
      },
      get removed() {
        return light.removed.map(taken);
      },
    })),
    ...(prompt.batch && { batch: prompt.batch.map((chunks) => chunks.map(taken)) }),
  };
}

/** The rows of each word of a pass, up to its EOS. */
function wordRows({ inputIds, vectors }: EncoderPass, tokenizer: Tokenizer): number[][] {
  let end = inputIds.length;
  while (end > 1 && inputIds[end - 1] === eosTokenId && !vectors?.has(end - 1)) end--;
  // The vectors of an embedding, which have no entries, are one word.
  const textOf = (row: number) =>
    vectors?.has(row) ? (vectors.has(row + 1) ? '' : wordEnd) : tokenizer.entry(inputIds[row]);
  const tokens = Array.from({ length: end - 1 }, (_, i) => ({ row: i + 1, text: textOf(i + 1) }));
  return wordsOf(tokens).map((word) => word.map(({ row }) => row));
}
