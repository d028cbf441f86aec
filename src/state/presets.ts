import { programs, type Syntax } from '../prompt/syntax.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import { ownMethod } from '../weighting/methods.ts';
import { scale } from '../weighting/scale.ts';

/** The options with which a program encodes by itself, as far as they are this page's. */
export function defaultsOf(syntax: Syntax): PromptOptions {
  return { ...defaultOptions, syntax, weighting: ownMethod[syntax] };
}

export interface Preset {
  readonly name: string;
  readonly options: PromptOptions;
}

/** The options of the lecture, in A1111's language. */
export const lecture: Preset = {
  name: 'As in the lecture',
  options: { ...defaultOptions, weighting: scale.name, mask: 'lecture', squareFactor: '0.9' },
};

/** Sets of options that can be chosen at once. */
export const presets: readonly Preset[] = [
  { name: 'A1111', options: defaultsOf('a1111') },
  { name: 'ComfyUI', options: defaultsOf('comfy') },
  { name: 'Compel (diffusers)', options: defaultsOf('compel') },
  lecture,
];

/** Options that belong to the prompt rather than to its program: they are never counted as changed, and no preset sets them. */
const ofPrompt: readonly (keyof PromptOptions)[] = [
  'steps',
  'step',
  'choiceSeed',
  'positiveVariant',
  'negativeVariant',
];

/** The options of a preset, with the prompt's own sampling steps and choices. */
export function withPreset(now: PromptOptions, { options }: Pick<Preset, 'options'>): PromptOptions {
  return { ...options, ...Object.fromEntries(ofPrompt.map((name) => [name, now[name]])) };
}

/** Names of the options that differ from what the prompt's program does by itself. */
export function changedOptions(options: PromptOptions): readonly (keyof PromptOptions)[] {
  const own = defaultsOf(options.syntax);
  // A tokenizer that was chosen by name may be the program's own.
  const now = flavourOf(options) === flavourOf(own) ? { ...options, tokenizer: own.tokenizer } : options;
  const names = Object.keys(own) as (keyof PromptOptions)[];
  return names.filter((name) => !ofPrompt.includes(name) && now[name] !== own[name]);
}

/** Says whether the options are those of the program, of a preset, or how many differ. */
export function optionsInShort(options: PromptOptions): string {
  const changed = changedOptions(options).length;
  if (changed === 0) return `${programs[options.syntax]} defaults ✓`;
  const isInUse = (preset: Preset) =>
    Object.entries(withPreset(options, preset)).every(
      ([name, value]) => options[name as keyof PromptOptions] === value,
    );
  return presets.find(isInUse)?.name ?? `${changed} changed`;
}
