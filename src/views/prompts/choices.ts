import type { MaskMode } from '../../clip/masks.ts';
import { programs, type Syntax } from '../../prompt/syntax.ts';
import type { ComfyInput, PromptOptions, WordContext } from '../../road/options.ts';
import type { ComfyUnit } from '../../tokens/chunks/comfyChunks.ts';
import { ownFlavour, type TokenizerChoice, type TokenizerFlavour } from '../../tokens/tokenizerFlavours.ts';
import { type MethodName, methodNames, methods } from '../../weighting/methods.ts';
import type { TokenNormalisation } from '../../weighting/normalise.ts';

export interface Choice {
  readonly name: string;
  /** Says which program does this, and what it means. */
  readonly help: string;
}

export const masks: Record<MaskMode, Choice> = {
  causal: {
    name: 'Causal',
    help: 'A1111, ComfyUI, diffusers and CompVis for SD 1.5: a token sees itself and those before it. PAD stands last, so that only PAD sees it; but its rows go to the U-Net as well.',
  },
  hf: {
    name: 'Causal, PAD hidden',
    help: 'transformers, when given the tokenizer’s attention_mask: PAD is hidden too, the prompt’s EOS is not.',
  },
  lecture: {
    name: 'Causal, PAD and EOS hidden',
    help: 'MaskPAD, equations 8 to 10 of the lecture that Anatomy numbers: every id 49407 is hidden. PAD is EOS, so the prompt’s own EOS goes too.',
  },
  none: {
    name: 'No mask',
    help: 'No program runs this: every token sees all others, those after it too. For comparison.',
  },
};

export const weightings = Object.fromEntries(
  methodNames.map((name): [string, Choice] => [name, { name: methods[name].label, help: methods[name].help }]),
) as Record<MethodName, Choice>;

export const syntaxChoices: Record<Syntax, Choice> = {
  a1111: {
    name: 'A1111',
    help: 'AUTOMATIC1111 and Forge: (x:1.2), [x], BREAK, AND, [a:b:0.5], [a|b], <lora:x:1>, # comments.',
  },
  compel: {
    name: 'Compel',
    help: 'Compel, as diffusers and InvokeAI use it: x++, (x y)1.2, ("a", "b").and(), .blend().',
  },
  comfy: {
    name: 'ComfyUI',
    help: 'ComfyUI: (x:1.2) replaces the weight around it, (x) multiplies by 1.1, embedding:name, {a|b}, // comments.',
  },
};

export const contexts: Record<WordContext, Choice> = {
  prompt: { name: 'In their prompt', help: 'As every program: each word has taken in those before it.' },
  alone: {
    name: 'Each alone',
    help: 'No program does this: each word’s rows are those that it has without any other word, so that nothing leaks into them; EOS and PAD stay as they are.',
  },
};

export const normalisations: Record<TokenNormalisation, Choice> = {
  none: { name: 'None', help: 'Weights as they are typed.' },
  mean: { name: 'Mean', help: 'ADV_CLIP_emb: all weights are shifted so that those of the text average 1.' },
  length: { name: 'Length', help: 'ADV_CLIP_emb: a word’s weight is divided among its tokens.' },
  'length+mean': { name: 'Length + mean', help: 'ADV_CLIP_emb: one after the other.' },
};

export const squareFactors: Record<PromptOptions['squareFactor'], Choice> = {
  '1/1.1': { name: '[x] weighs 1 ÷ 1.1', help: 'A1111: each pair divides the weight by 1.1, which makes 0.909.' },
  '0.9': { name: '[x] weighs 0.9', help: 'As in the lecture whose equations Anatomy numbers.' },
};

export const bracketChoices: Record<PromptOptions['brackets'], Choice> = {
  weights: {
    name: 'Are weights',
    help: 'A1111’s emphasis modes Original, No norm and Ignore: ( ) and [ ] weigh the text in them.',
  },
  text: { name: 'Are text', help: 'A1111’s emphasis mode None: brackets are encoded as characters.' },
};

export const timelines: Record<PromptOptions['timeline'], Choice> = {
  'since-1.6': {
    name: 'A1111 1.6 and later',
    help: 'With a point, a number in [a:b:0.5] is a share of the steps; without, a step.',
  },
  'before-1.6': {
    name: 'Before A1111 1.6',
    help: 'A number below 1 is a share of the steps; any other is a step, with a point or without.',
  },
};

export const splits: Record<PromptOptions['split'], Choice> = {
  cut: {
    name: 'Cut off',
    help: 'Compel(truncate_long_prompts=True), its default: one chunk, of 75 tokens with Stable Diffusion’s encoder.',
  },
  SENTENCES: { name: 'At sentences', help: 'After a full stop; else at phrases.' },
  PHRASES: { name: 'At phrases', help: 'After a comma, semicolon, colon or full stop; else at words.' },
  WORDS: { name: 'At words', help: 'After a whole word.' },
  BRUTAL: { name: 'Anywhere', help: 'Where the chunk is full, after whatever token stands there.' },
};

export const clsChoices: Record<PromptOptions['clsTokens'], Choice> = {
  own: { name: 'Each its own', help: 'Compel’s default: each chunk of a split prompt keeps the row at its own EOS.' },
  COPY_FIRST_CLS_TOKEN: {
    name: 'The first’s',
    help: 'Compel 2.3: the first EOS row of the first chunk stands in all chunks.',
  },
  MERGE_CLS_TOKENS: { name: 'Their mean', help: 'Compel 2.3: the mean of the first EOS rows stands in all chunks.' },
};

export const comfyUnitChoices: Record<ComfyUnit, Choice> = {
  segments: { name: 'By segment', help: 'Since December 2024: text of one weight at once.' },
  words: { name: 'By word', help: 'Before December 2024: every word by itself.' },
};

export const comfyInputChoices: Record<ComfyInput, Choice> = {
  page: {
    name: 'On',
    help: 'ComfyUI’s page takes out // and /* */ comments, chooses one of {a|b}, and makes \\{ a brace, before it hands the prompt on.',
  },
  api: {
    name: 'Off: as typed into the API',
    help: 'ComfyUI’s API gets the prompt as it is typed: comments and braces are encoded as text.',
  },
};

export const tokenizers: Record<TokenizerFlavour, Choice> = {
  'hf-slow-ftfy': {
    name: 'transformers 4 + ftfy',
    help: 'A1111, and diffusers where ftfy is installed, a library that mends quotes and wrongly decoded letters before the text is cut into tokens.',
  },
  'hf-slow': {
    name: 'transformers 4',
    help: 'ComfyUI, and diffusers on Hugging Face’s transformers 4 where ftfy is not installed.',
  },
  'hf-fast': { name: 'transformers 4, fast', help: 'Its second tokenizer, CLIPTokenizerFast.' },
  'hf-v5': { name: 'transformers 5', help: 'As diffusers and Compel use it there.' },
  openai: { name: 'OpenAI’s CLIP', help: 'simple_tokenizer.py of the original CLIP.' },
};

/** The tokenizers to choose from in a language: first the one that its program comes with, which follows the language. */
export function tokenizerChoicesIn(syntax: Syntax): Record<TokenizerChoice, Choice> {
  const own = tokenizers[ownFlavour[syntax]];
  return { program: { name: `As ${programs[syntax]}: ${own.name}`, help: own.help }, ...tokenizers };
}

/** Names of the options, as the page calls them. */
export const optionLabels: Readonly<Record<keyof PromptOptions, string>> = {
  syntax: 'Read as',
  tokenizer: 'Tokenizer',
  mask: 'Mask',
  weighting: 'Weighting',
  context: 'Words',
  rowMaps: 'Maps of rows',
  normalisation: 'Normalisation',
  clipSkip: 'Clip skip',
  brackets: 'Brackets',
  squareFactor: 'Square brackets',
  steps: 'Steps',
  step: 'Step',
  timeline: 'Schedules',
  commaPaddingBacktrack: 'Comma backtracking',
  split: 'Long prompts',
  clsTokens: 'EOS of chunks',
  comfyUnit: 'Tokenised',
  comfyInput: 'ComfyUI’s page: comments and {a|b}',
  choiceSeed: 'Seed of {a|b}',
  positiveVariant: 'Variant of {a|b}',
  negativeVariant: 'Variant of {a|b}, negative prompt',
};

const choicesOf: Readonly<Partial<Record<keyof PromptOptions, Readonly<Record<string, Choice>>>>> = {
  syntax: syntaxChoices,
  tokenizer: tokenizers,
  mask: masks,
  weighting: weightings,
  context: contexts,
  normalisation: normalisations,
  brackets: bracketChoices,
  squareFactor: squareFactors,
  timeline: timelines,
  split: splits,
  clsTokens: clsChoices,
  comfyUnit: comfyUnitChoices,
  comfyInput: comfyInputChoices,
};

/** Names an option's value as the page does; the value itself where it has no other name. */
export function optionText(option: keyof PromptOptions, value: string): string {
  const choices = choicesOf[option];
  return choices && Object.hasOwn(choices, value) ? choices[value].name : value;
}
