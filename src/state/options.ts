import { maskModes } from '../clip/masks.ts';
import { tokenizerFlavours } from '../clip/tokenizerFlavours.ts';
import { promptSyntaxes } from '../prompt/syntax.ts';
import { defaultOptions, type PromptOptions, weightingMethods } from '../weighting/pipeline.ts';

/** What each option may be. */
const values: { readonly [K in keyof PromptOptions]: readonly PromptOptions[K][] } = {
  syntax: promptSyntaxes,
  tokenizer: tokenizerFlavours,
  mask: maskModes,
  weighting: weightingMethods,
};

/** Options out of something that was stored: what is missing is as by default, and so is what is not a choice (`bad`). */
export function readOptions(stored: Readonly<Record<string, unknown>>): {
  readonly options: PromptOptions;
  readonly bad: readonly string[];
} {
  const bad: string[] = [];
  const read = Object.entries(values).map(([name, choices]) => {
    const value = stored[name];
    if ((choices as readonly unknown[]).includes(value)) return [name, value];
    if (value !== undefined) bad.push(name);
    return [name, defaultOptions[name as keyof PromptOptions]];
  });
  return { options: Object.fromEntries(read) as PromptOptions, bad };
}
