import { readFileSync } from 'node:fs';
import { type EncoderOutput, type EncoderPass, type EncoderWant, passKey } from '../../clip/encoderPass.ts';
import type { MaskMode } from '../../clip/masks.ts';
import { parseA1111 } from '../../prompt/a1111/emphasis.ts';
import type { Fragment } from '../../prompt/ast.ts';
import { sourceText } from '../../prompt/sourceText.ts';
import fc from '../../properties.ts';
import { chunkA1111 } from '../../tokens/chunks/a1111Chunks.ts';
import { chunkComfy } from '../../tokens/chunks/comfyChunks.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import type { WeightedPrompt, ZOf } from '../../weighting/method.ts';
import { compelPrompt, compelPromptDefaults, weightedPrompt } from '../weightedPrompt.ts';

export const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

/** Small, so that sums over it are quick. */
export const d = 3;

/**
 * Made-up outputs that depend on nothing but the pass: quarters, exact in float32, from −8 to 8. One pass in eight has a mean
 * of exactly 0, which would else come up by chance, in one test run of many.
 */
export const fakeZ: ZOf = (pass: EncoderPass) => {
  let state = 2166136261;
  for (const character of passKey(pass)) state = Math.imul(state ^ character.charCodeAt(0), 16777619);
  const isMeanless = state >>> 29 === 0;
  const z = Float32Array.from({ length: pass.inputIds.length * d }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return ((state >>> 16) % 65) / 4 - 8;
  });
  if (isMeanless) z[z.length - 1] -= z.reduce((sum, value) => sum + value, 0);
  return z;
};

/** Made-up output of a pass, in which every state that is wanted is `fakeZ`. */
export function fakeOutput(pass: EncoderPass, want: EncoderWant): EncoderOutput {
  return {
    lastHiddenState: fakeZ(pass),
    hiddenStates: new Map(want.hiddenStates.map((index) => [index, fakeZ(pass)])),
    ...(want.attentions && { attentions: new Float32Array(1) }),
  };
}

export function fragmentsOf(parts: readonly (readonly [string, number])[]): Fragment[] {
  return parts.map(([text, weight]) => ({ kind: 'text', weight, ...sourceText(text), start: 0, end: text.length }));
}

export function a1111(prompt: string, mask: MaskMode = 'causal'): WeightedPrompt {
  return weightedPrompt(chunkA1111(parseA1111(prompt).fragments, tokenizer).chunks, mask);
}

const words = ['cat', 'dog', 'a', 'red', 'bicycle', 'sunset', 'apricots', 'on', 'grass', ',', 'oil painting'];

/** Up to three chunks of fragments with some weights each. */
export function fragmentsWith(weight: fc.Arbitrary<number>): fc.Arbitrary<Fragment[]> {
  const text = fc
    .tuple(fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 6 }), fc.constantFrom(1, 1, 1, 7))
    .map(([some, times]) => Array(times).fill(some.join(' ')).join(' '));
  return fc.array(fc.tuple(text, weight), { maxLength: 8 }).map(fragmentsOf);
}

/** Weights on both sides of 1 and of 0, equal ones among them. */
export const someWeight = fc.constantFrom(1, 1, 1.25, 1.5, 3, 0.5, 0.5, 0.75, 0, -0.5);

const splitOptions = { ...compelPromptDefaults, truncate: false };

/** The fragments as each of the programs takes them. */
export const readers: Readonly<Record<string, (fragments: readonly Fragment[]) => WeightedPrompt>> = {
  a1111: (fragments) => weightedPrompt(chunkA1111(fragments, tokenizer).chunks, 'causal'),
  'comfy, words': (fragments) => weightedPrompt(chunkComfy(fragments, tokenizer, [], { unit: 'words' }).chunks, 'hf'),
  'comfy, segments': (fragments) =>
    weightedPrompt(chunkComfy(fragments, tokenizer, [], { unit: 'segments' }).chunks, 'causal'),
  'compel, cut': (fragments) => compelPrompt(fragments, tokenizer),
  'compel, split': (fragments) => compelPrompt(fragments, tokenizer, splitOptions),
};
