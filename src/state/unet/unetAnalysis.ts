/** The analysis of the U-Net's keys and values of the chunk on show, before and after weights. */
import { unetAdvice } from '../../models/unetFile.ts';
import { pictureModelPath } from '../../pictures/pictureModel.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import type { createAsk } from '../../worker/ask.ts';
import type { ModelRequest } from '../../worker/messages.ts';
import type { UnetCalls, UnetFound, UnetSource } from '../../worker/unet/unetMessages.ts';
import type { Analysis } from '../analysing.ts';
import { shownWeighted, type WeightedEncoding } from '../encoded.ts';
import type { Facts } from '../facts.ts';
import { memoised } from '../memoised.ts';
import { tokenizerOf, tokenLabels } from '../tokenLabels.ts';

export type AskUnet = ReturnType<typeof createAsk<UnetCalls>>;

const sourceOf = memoised((unet: File | null, request: ModelRequest | null): UnetSource | null => {
  if (unet) return { kind: 'file', file: unet };
  if (request?.kind === 'file') return { kind: 'file', file: request.file };
  // The page's own denoiser reads the rows of its own text encoder alone.
  if (request?.kind !== 'small' || !clipscopeDraws) return null;
  return { kind: 'own', address: new URL(`${import.meta.env.BASE_URL}${pictureModelPath}`, document.baseURI).href };
});

/** The place where the U-Net is looked for: a file that was opened for it, else that of the text encoder in use; null where that came alone. */
export const unetSource = ({ unet, modelRequest }: Facts): UnetSource | null => sourceOf(unet, modelRequest);

/** The chunk on show as the U-Net gets it. */
export interface UnetSubject extends Pick<WeightedEncoding, 'before' | 'after'> {
  readonly source: UnetSource | null;
  readonly d: number;
  readonly tokens: readonly PromptToken[];
  /** [L] */
  readonly labels: readonly string[];
  /** Names all that the result depends on. */
  readonly key: string;
}

const fileNumbers = new WeakMap<File, number>();
let files = 0;

function sourceKey(source: UnetSource | null): string {
  if (source?.kind !== 'file') return source?.kind ?? '';
  if (!fileNumbers.has(source.file)) fileNumbers.set(source.file, files++);
  return `${fileNumbers.get(source.file)}`;
}

/** Names rows by their bits, with two hashes (FNV-1a, from two starts): what is typed again is known again. */
function rowsKey(rows: Float32Array): string {
  const words = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
  let [a, b] = [0x811c9dc5, 0x1234567];
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (word >>> 15) ^ (word << 17), 0x01000193);
  }
  return `${a >>> 0} ${b >>> 0}`;
}

const subjectOf = memoised(
  ({ before, after, encoded }: WeightedEncoding, tokenizer: Tokenizer, source: UnetSource | null): UnetSubject => ({
    ...{ before, after, source },
    d: encoded.config.hiddenSize,
    tokens: encoded.chunk.tokens,
    labels: tokenLabels(encoded.chunk.tokens, tokenizer),
    key: `unet|${sourceKey(source)}|${rowsKey(before)}|${rowsKey(after)}`,
  }),
);

/** The chunk on show, once all its rows are encoded and weighted; undefined before. */
export function unetSubject(facts: Facts): UnetSubject | undefined {
  const weighted = shownWeighted(facts);
  const tokenizer = tokenizerOf(facts);
  if (!weighted || weighted.encoded.ready !== null || !tokenizer) return undefined;
  return subjectOf(weighted, tokenizer, unetSource(facts));
}

/** Measures K and V of the chunk on show. It takes no pass of the encoder. */
export const unetAnalysis = ({ source, before, after, d, key }: UnetSubject, ask: AskUnet): Analysis<UnetFound> => ({
  key,
  passes: 0,
  async run(_, signal) {
    if (!source) return { problem: `The text encoder in use came without a U-Net: ${unetAdvice}.` };
    return ask('read', { source, before, after, d }, { signal });
  },
});
