import { type Method, wholePrompt } from './method.ts';

/**
 * ComfyUI (`encode_token_weights` of comfy/sd1_clip.py), and "comfy" of ADV_CLIP_emb: each row moves from that of the empty
 * prompt. A weight of 0 is the empty prompt at that place, a negative one the far side of it; an infinite one, or NaN,
 * makes the row infinite or NaN, as there.
 */
export const comfy = {
  name: 'comfy',
  label: 'ComfyUI',
  help: 'ComfyUI, and “comfy” of its extension ADV_CLIP_emb: each row moves away from the empty prompt’s row e by its weight, e + (z − e)·w.',
  source: 'ComfyUI; ComfyUI_ADV_CLIP_emb, “comfy”',
  formula: 'z′ = e + w · (z − e)',
  family: 'comfy',
  ownOf: 'comfy',
  normalises: true,
  isChecked: true,
  versions: ({ chunks }) => wholePrompt('empty', chunks),
} as const satisfies Method;
