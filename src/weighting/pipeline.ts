/**
 * The road: prompt → fragments → tokens → ids and weights → masks → passes → *encode* → weighting → promptEmbeds.
 * Everything here is pure and synchronous; whatever runs the encoder (clip/encode.ts) stands between the two functions.
 */
import type { EncoderOutput, EncoderPass } from '../clip/encode.ts';
import { encoderPass, type MaskMode } from '../clip/masks.ts';
import type { Tokenizer } from '../clip/tokenizer.ts';
import type { TokenizerFlavour } from '../clip/tokenizerFlavours.ts';
import { fragmentTokens, normaliseLength, type PromptToken, type TokenChunk } from '../clip/tokens.ts';
import type { Diagnostic, ParsedPrompt } from '../prompt/ast.ts';
import { type PromptSyntax, parsePrompt } from '../prompt/syntax.ts';
import { a1111Original } from './a1111.ts';
import { scale } from './scale.ts';

/** A1111's "Original", "No norm" and "Ignore". */
export const weightingMethods = ['original', 'scale', 'none'] as const;
export type WeightingMethod = (typeof weightingMethods)[number];

export interface PromptOptions {
  readonly syntax: PromptSyntax;
  readonly tokenizer: TokenizerFlavour;
  readonly mask: MaskMode;
  readonly weighting: WeightingMethod;
}

/** What A1111 does. */
export const defaultOptions: PromptOptions = {
  syntax: 'a1111',
  tokenizer: 'hf-slow-ftfy',
  mask: 'causal',
  weighting: 'original',
};

/** All that is known of a prompt before any weights are loaded. */
export interface PreparedPrompt {
  readonly parsed: ParsedPrompt;
  readonly chunk: TokenChunk;
  /** Tokens past the encoder's length: they have no effect. */
  readonly cut: readonly PromptToken[];
  /** What to encode, in order: one pass today. */
  readonly passes: readonly EncoderPass[];
  /** The parser's, then those of this road. */
  readonly diagnostics: readonly Diagnostic[];
}

export function preparePrompt(prompt: string, options: PromptOptions, tokenizer: Tokenizer): PreparedPrompt {
  const parsed = parsePrompt(prompt, options.syntax);
  const tokens = fragmentTokens(parsed.fragments, tokenizer, options.tokenizer);
  const { chunk, cut } = normaliseLength(tokens, tokenizer);
  const eos = chunk.tokens.findIndex((token) => token.kind === 'eos');
  return {
    parsed,
    chunk,
    cut,
    passes: [encoderPass(chunk.inputIds, options.mask, eos)],
    diagnostics: [...parsed.diagnostics, ...breakDiagnostics(parsed), ...cutDiagnostics(cut, chunk.tokens.length - 2)],
  };
}

/** The conditioning [L, d] of the outputs of `prepared.passes`. `none` returns the encoder's own array. */
export function promptEmbeds(
  prepared: PreparedPrompt,
  outputs: readonly EncoderOutput[],
  method: WeightingMethod,
  d: number,
): Float32Array {
  const z = outputs[0].lastHiddenState;
  const weights = prepared.chunk.perTokenWeights;
  switch (method) {
    case 'original':
      return a1111Original(z, weights, d);
    case 'scale':
      return scale(z, weights, d);
    case 'none':
      return z;
    default:
      return method satisfies never;
  }
}

function breakDiagnostics(parsed: ParsedPrompt): Diagnostic[] {
  return parsed.fragments
    .filter((fragment) => fragment.kind === 'break')
    .map(({ start, end }) => ({
      code: 'break-does-not-split',
      severity: 'info',
      message:
        'BREAK does not split the prompt here: one row of 77 tokens is encoded, and the text after it goes on in the same row.',
      start,
      end,
    }));
}

function cutDiagnostics(cut: readonly PromptToken[], room: number): Diagnostic[] {
  const ranges = cut.flatMap(({ range }) => range ?? []);
  if (ranges.length === 0) return [];
  const what = cut.length === 1 ? 'the last token is' : `the last ${cut.length} tokens are`;
  return [
    {
      code: 'tokens-cut',
      severity: 'warning',
      message: `The encoder takes ${room} tokens and ${what} cut off: shorten the prompt to give this text an effect.`,
      start: ranges[0].start,
      end: ranges[ranges.length - 1].end,
    },
  ];
}
