import { batchLength, completed, type Method, wholePrompt } from './method.ts';

/** ADV_CLIP_emb "A1111": one mean over all chunks together, which A1111 itself does not do. */
export const advA1111 = {
  name: 'adv-a1111',
  label: 'ADV A1111',
  help: 'ADV_CLIP_emb, an extension of ComfyUI, “A1111”: as A1111 Original, with one mean over all chunks.',
  source: 'ComfyUI_ADV_CLIP_emb, “A1111”',
  formula: 'z″ = w · z · mean(z) / mean(z′)',
  family: 'a1111',
  normalises: true,
  isChecked: false,
  versions: ({ chunks }) => wholePrompt('zero', chunks),
  means: (prompt) => [{ at: null, chunks: completed(prompt.chunks, batchLength(prompt), prompt) }],
} as const satisfies Method;
