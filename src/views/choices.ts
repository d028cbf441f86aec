import type { MaskMode } from '../clip/masks.ts';
import type { TokenizerFlavour } from '../clip/tokenizerFlavours.ts';
import type { WeightingMethod } from '../weighting/pipeline.ts';

export interface Choice {
  readonly name: string;
  /** Who does this, and what it means. */
  readonly help: string;
}

export const masks: Record<MaskMode, Choice> = {
  causal: {
    name: 'Causal only',
    help: 'A1111, ComfyUI, diffusers and CompVis for SD 1.5: PAD tokens are seen like any other.',
  },
  hf: {
    name: 'Causal × attention_mask',
    help: 'transformers, when given the tokenizer’s attention_mask: PAD is hidden, the prompt’s EOS is not.',
  },
  lecture: {
    name: 'Causal × MaskPAD',
    help: 'As textbooks write it: every id 49407 is hidden. PAD is EOS, so the prompt’s own EOS goes too.',
  },
  none: {
    name: 'No mask',
    help: 'No program runs this: every token sees those after it. For comparison.',
  },
};

export const weightings: Record<WeightingMethod, Choice> = {
  original: {
    name: 'Original',
    help: 'A1111’s default: z′ = w·z, then scaled so that the mean over the chunk is as before.',
  },
  scale: { name: 'No norm', help: 'A1111 “No norm”: z′ = w·z.' },
  none: { name: 'Ignore', help: 'A1111 “Ignore”: weights are read but not applied.' },
};

export const tokenizers: Record<TokenizerFlavour, Choice> = {
  'hf-slow-ftfy': {
    name: 'HF slow + ftfy',
    help: 'A1111, and diffusers with ftfy installed (mojibake is not repaired here).',
  },
  'hf-slow': { name: 'HF slow', help: 'diffusers on transformers 4 without ftfy.' },
  'hf-fast': { name: 'HF fast', help: 'transformers 4, CLIPTokenizerFast.' },
  'hf-v5': { name: 'HF v5', help: 'transformers 5, as diffusers and Compel use it there.' },
  openai: { name: 'openai/CLIP', help: 'simple_tokenizer.py of the original CLIP.' },
};
