import { clipVitL14 } from '../clip/config.ts';
import { type MaskMode, maskModes } from '../clip/masks.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { type ComfyUnit, comfyUnits } from '../tokens/chunks/comfyChunks.ts';
import { type SplitMode, splitModes } from '../tokens/chunks/compelChunks.ts';
import { flavourOf, type TokenizerChoice, tokenizerChoices } from '../tokens/tokenizerFlavours.ts';
import { type MethodName, methodNames, ownMethod } from '../weighting/methods.ts';
import { type TokenNormalisation, tokenNormalisations } from '../weighting/normalise.ts';
import { longestPsi } from '../weighting/psi.ts';
import type { ClipSkip } from './clipSkip.ts';
import { type ClsMode, clsModes } from './composition.ts';

/** The variants of a prompt that are listed, and that can be picked by their number. */
export const mostVariants = 100;

/** The ways in which a prompt gets into ComfyUI. */
export const comfyInputs = ['page', 'api'] as const;
export type ComfyInput = (typeof comfyInputs)[number];

/** The context that the rows of a word are encoded in. */
export const wordContexts = ['prompt', 'alone'] as const;
export type WordContext = (typeof wordContexts)[number];

export interface PromptOptions {
  readonly syntax: Syntax;
  readonly tokenizer: TokenizerChoice;
  readonly mask: MaskMode;
  readonly weighting: MethodName;
  /** Whether each word's rows are those of the whole prompt, or those that it has without any other word. */
  readonly context: WordContext;
  /** General weighting: the maps of the rows, as psiMaps.ts reads them; empty for none. */
  readonly rowMaps: string;
  /** ADV_CLIP_emb: how weights are normalised before one of its methods, or ComfyUI's, applies them. */
  readonly normalisation: TokenNormalisation;
  readonly clipSkip: ClipSkip;
  /** A1111: whether brackets weigh; `text` is its emphasis mode "None". */
  readonly brackets: 'weights' | 'text';
  /** A1111: the factor of [ ]; the lecture says 0.9. */
  readonly squareFactor: '1/1.1' | '0.9';
  /** A1111: how the numbers of schedules count; before 1.6 those below 1 are shares, whatever they look like. */
  readonly timeline: 'since-1.6' | 'before-1.6';
  /** A1111: number of sampling steps. */
  readonly steps: number;
  /** A1111: the step whose text is encoded, from 1. */
  readonly step: number;
  /** A1111: tokens after the last comma that may move to the next chunk. */
  readonly commaPaddingBacktrack: number;
  /** Compel: where a long prompt is split; `cut` keeps one chunk, as `Compel(…)` does by default. */
  readonly split: SplitMode | 'cut';
  /** Compel: the rows at the first EOS of the chunks of a long prompt. */
  readonly clsTokens: ClsMode;
  readonly comfyUnit: ComfyUnit;
  /** ComfyUI: whether its page reads the prompt first and takes out comments and chooses from `{a|b}`, or its API gets it as typed. */
  readonly comfyInput: ComfyInput;
  /** ComfyUI's page: the seed of its choices. */
  readonly choiceSeed: number;
  /** ComfyUI's page: the variant of the prompt that is read, from 1; 0 leaves the choice to the seed. */
  readonly positiveVariant: number;
  /** The variant of the negative prompt, likewise. */
  readonly negativeVariant: number;
}

/** The options that give A1111's numbers. */
export const defaultOptions: PromptOptions = {
  syntax: 'a1111',
  tokenizer: 'program',
  mask: 'causal',
  weighting: ownMethod.a1111,
  context: 'prompt',
  rowMaps: '',
  normalisation: 'none',
  clipSkip: 1,
  brackets: 'weights',
  squareFactor: '1/1.1',
  timeline: 'since-1.6',
  steps: 20,
  step: 1,
  commaPaddingBacktrack: 20,
  split: 'cut',
  clsTokens: 'own',
  comfyUnit: 'segments',
  comfyInput: 'page',
  choiceSeed: 0,
  positiveVariant: 0,
  negativeVariant: 0,
};

/** Writes options as texts, the tokenizer by its own name. */
export function writtenOptions(options: PromptOptions): Record<keyof PromptOptions, string> {
  const written = Object.entries({ ...options, tokenizer: flavourOf(options) });
  return Object.fromEntries(written.map(([name, value]) => [name, String(value)])) as Record<
    keyof PromptOptions,
    string
  >;
}

/** Changes one option. With another syntax comes its program's own way of weighing, unless another was chosen. */
export function withOption<K extends keyof PromptOptions>(
  options: PromptOptions,
  name: K,
  value: PromptOptions[K],
): PromptOptions {
  const changed = { ...options, [name]: value };
  const isOwn = options.weighting === ownMethod[options.syntax];
  if (name === 'syntax' && isOwn) return { ...changed, weighting: ownMethod[changed.syntax] };
  return name === 'steps' ? { ...changed, step: Math.min(changed.step, changed.steps) } : changed;
}

/** Smallest and largest value of a whole number. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** The length of a text. */
export interface TextBound {
  readonly longest: number;
}

/** The values that each option may have: a list, bounds of a whole number, or the most characters of a text. */
export const optionValues = {
  syntax: syntaxes,
  tokenizer: tokenizerChoices,
  mask: maskModes,
  weighting: methodNames,
  context: wordContexts,
  rowMaps: { longest: longestPsi },
  normalisation: tokenNormalisations,
  brackets: ['weights', 'text'],
  squareFactor: ['1/1.1', '0.9'],
  timeline: ['since-1.6', 'before-1.6'],
  clipSkip: { least: 1, most: clipVitL14.numHiddenLayers + 1 },
  steps: { least: 1, most: 150 },
  step: { least: 1, most: 150 },
  commaPaddingBacktrack: { least: 0, most: 74 },
  split: ['cut', ...splitModes],
  clsTokens: clsModes,
  comfyUnit: comfyUnits,
  comfyInput: comfyInputs,
  choiceSeed: { least: 0, most: 2 ** 32 - 1 },
  positiveVariant: { least: 0, most: mostVariants },
  negativeVariant: { least: 0, most: mostVariants },
} as const satisfies {
  readonly [K in keyof PromptOptions]:
    | readonly PromptOptions[K][]
    | (PromptOptions[K] extends number ? Bounds : string extends PromptOptions[K] ? TextBound : never);
};

/** Whether `value` is a whole number within the bounds. */
export function isWithin({ least, most }: Bounds, value: unknown): boolean {
  return Number.isInteger(value) && least <= Number(value) && Number(value) <= most;
}
