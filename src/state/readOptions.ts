import { clipVitL14 } from '../clip/config.ts';
import { maskModes } from '../clip/masks.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { comfyUnits } from '../tokens/chunks/comfyChunks.ts';
import { splitModes } from '../tokens/chunks/compelChunks.ts';
import { tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { tokenNormalisations } from '../weighting/normalise.ts';

export const methodNames = Object.keys(methods) as MethodName[];

/** What each option may be: one of these, or a whole number within these. */
export const optionValues = {
  syntax: syntaxes,
  tokenizer: tokenizerFlavours,
  mask: maskModes,
  weighting: methodNames,
  normalisation: tokenNormalisations,
  brackets: ['weights', 'text'],
  squareFactor: ['1/1.1', '0.9'],
  clipSkip: { least: 1, most: clipVitL14.numHiddenLayers + 1 },
  steps: { least: 1, most: 150 },
  step: { least: 1, most: 150 },
  commaPaddingBacktrack: { least: 0, most: 74 },
  split: ['cut', ...splitModes],
  comfyUnit: comfyUnits,
} as const satisfies {
  readonly [K in keyof PromptOptions]: readonly PromptOptions[K][] | (PromptOptions[K] extends number ? Bounds : never);
};

interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** Whether it is a whole number within these. */
export function isWithin({ least, most }: Bounds, value: unknown): boolean {
  return Number.isInteger(value) && least <= Number(value) && Number(value) <= most;
}

function isValue(name: keyof PromptOptions, value: unknown): boolean {
  const values: readonly unknown[] | Bounds = optionValues[name];
  return 'least' in values ? isWithin(values, value) : values.includes(value);
}

/** Options out of something that was stored: what is missing is as by default, and so is what is not a choice (`bad`). */
export function readOptions(stored: Readonly<Record<string, unknown>>): {
  readonly options: PromptOptions;
  readonly bad: readonly string[];
} {
  const bad: string[] = [];
  const read = Object.entries(defaultOptions).map(([name, byDefault]) => {
    const value = stored[name];
    if (isValue(name as keyof PromptOptions, value)) return [name, value];
    if (value !== undefined) bad.push(name);
    return [name, byDefault];
  });
  return { options: Object.fromEntries(read) as PromptOptions, bad };
}
