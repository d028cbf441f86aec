import { maskModes } from '../clip/masks.ts';
import { tokenizerFlavours } from '../clip/tokenizerFlavours.ts';
import { defaultOptions, type PromptOptions, weightingMethods } from '../weighting/pipeline.ts';
import { type Kept, themes } from './facts.ts';

/** Where what survives a reload is kept: localStorage, or anything like it. */
export type Memory = Pick<Storage, 'getItem' | 'setItem'>;

const key = 'clipscope';

function oneOf<T extends string>(values: readonly T[], value: unknown, otherwise: T): T {
  return values.includes(value as T) ? (value as T) : otherwise;
}

const record = (value: unknown) =>
  (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;

function options(value: unknown): PromptOptions {
  const { tokenizer, mask, weighting } = record(value);
  return {
    syntax: 'a1111',
    tokenizer: oneOf(tokenizerFlavours, tokenizer, defaultOptions.tokenizer),
    mask: oneOf(maskModes, mask, defaultOptions.mask),
    weighting: oneOf(weightingMethods, weighting, defaultOptions.weighting),
  };
}

/** What was kept; whatever is missing, foreign or unreadable (storage may be forbidden) is as on a first visit. */
export function recall(memory: Memory | null, first: Kept): Kept {
  let stored: Record<string, unknown> = {};
  try {
    stored = record(JSON.parse(memory?.getItem(key) ?? 'null'));
  } catch {
    return first;
  }
  const prompts = record(stored.prompts);
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  return {
    prompts: {
      positive: text(prompts.positive, first.prompts.positive),
      negative: text(prompts.negative, first.prompts.negative),
    },
    options: options(stored.options),
    theme: oneOf(themes, stored.theme, first.theme),
    syntheticSize: oneOf(['full', 'tiny'], stored.syntheticSize, first.syntheticSize),
  };
}

export function remember(memory: Memory | null, { prompts, options, theme, syntheticSize }: Kept): void {
  try {
    memory?.setItem(key, JSON.stringify({ prompts, options, theme, syntheticSize }));
  } catch {
    // Full or forbidden: the page works on, and the next visit starts afresh.
  }
}
