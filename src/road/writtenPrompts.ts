import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { type Infotext, isBeforeA1111V16, parameterNumber } from '../prompt/a1111/infotext.ts';
import { longestPrompt } from '../prompt/bounds.ts';
import type { GraphPrompts } from '../prompt/comfy/graphPrompts.ts';
import type { Side } from '../prompt/side.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { advA1111 } from '../weighting/advA1111.ts';
import { advComfyPlusPlus } from '../weighting/advComfyPlusPlus.ts';
import { advCompel } from '../weighting/advCompel.ts';
import { advDownWeight } from '../weighting/advDownWeight.ts';
import { type MethodName, ownMethod } from '../weighting/methods.ts';
import { none } from '../weighting/none.ts';
import { tokenNormalisations } from '../weighting/normalise.ts';
import { scale } from '../weighting/scale.ts';
import { type Bounds, optionValues, type PromptOptions, withOption } from './options.ts';
import { counted, listed } from './study/sentence.ts';

/** Prompts that a text, a picture or a file holds, with what their program wrote beside them. */
export type WrittenPrompts =
  | {
      readonly program: 'a1111';
      readonly infotext: Infotext;
      /** Sentences about what is not as in an infotext of A1111's own. */
      readonly remarks: readonly string[];
    }
  | { readonly program: 'comfy'; readonly graph: GraphPrompts }
  /** A text that is nothing but a prompt, in the language that is in use. */
  | { readonly program: null; readonly prompt: string };

/** Prompts and options to put in place of those in use. */
export interface TakenPrompts {
  /** The program that reads them so. */
  readonly reader: string;
  /** A prompt that is missing stays as it is. */
  readonly prompts: Partial<Record<Side, string>>;
  readonly options: PromptOptions;
  /** Says what was found, as a sentence goes on: "prompt and 20 steps." */
  readonly summary: string;
}

/** A1111's emphasis modes by their names in an infotext, as options. */
export const emphasisModes: Readonly<Record<string, Pick<PromptOptions, 'brackets' | 'weighting'>>> = {
  None: { brackets: 'text', weighting: ownMethod.a1111 },
  Ignore: { brackets: 'weights', weighting: none.name },
  Original: { brackets: 'weights', weighting: ownMethod.a1111 },
  'No norm': { brackets: 'weights', weighting: scale.name },
};

/** The weighting methods of ADV_CLIP_emb by their names in ComfyUI's graph. */
export const interpretations: Readonly<Record<string, MethodName>> = {
  comfy: ownMethod.comfy,
  A1111: advA1111.name,
  compel: advCompel.name,
  'comfy++': advComfyPlusPlus.name,
  down_weight: advDownWeight.name,
};

/**
 * Reads prompts and options out of what was written; `options` are those in use. Where programs read it in two ways, the
 * second is the one that is to be offered.
 */
export function readWritten(
  written: WrittenPrompts,
  options: PromptOptions,
): readonly [TakenPrompts] | readonly [TakenPrompts, TakenPrompts] {
  switch (written.program) {
    case 'a1111': {
      const { infotext, remarks } = written;
      const { asCivitai } = infotext;
      if (!asCivitai) return [takeInfotext('A1111', infotext, remarks, options)];
      const a1111 = takeInfotext('A1111', infotext, [...remarks, inOneLine('A1111')], options);
      const civitai = takeInfotext('Civitai', asCivitai, [...remarks, inOneLine('Civitai')], options);
      // A1111 may find no prompt at all there, and then nobody means its reading.
      const isEmpty = infotext.prompt === '' && infotext.negativePrompt === '';
      return isEmpty ? [civitai, a1111] : [a1111, civitai];
    }
    case 'comfy':
      return [takeGraph(written.graph, options)];
    case null: {
      const prompts = { positive: written.prompt };
      return [{ reader: '', prompts, options, summary: 'prompt. The negative prompt stays.' }];
    }
    default:
      return written satisfies never;
  }
}

function inOneLine(reader: string): string {
  return `Line breaks are missing in it; this is what ${reader} reads.`;
}

/** Takes an infotext's prompts and fields as A1111 1.10 does when it is pasted there. */
function takeInfotext(
  reader: string,
  infotext: Pick<Infotext, 'prompt' | 'negativePrompt' | 'parameters'>,
  remarks: readonly string[],
  options: PromptOptions,
): TakenPrompts {
  const { prompt, negativePrompt, parameters } = infotext;
  const parts = ['prompt', 'negative prompt'];
  const told = [...remarks];
  let taken: PromptOptions = { ...withOption(options, 'syntax', 'a1111'), step: 1 };

  const steps = parameterNumber(parameters, 'Steps');
  if (steps) {
    parts.push(bounded(steps, 'step', optionValues.steps));
    taken = { ...taken, steps: Math.min(steps, optionValues.steps.most) };
  }
  // A1111 writes no clip skip where there is none.
  const clipSkip = parameterNumber(parameters, 'Clip skip') ?? 1;
  const { most } = optionValues.clipSkip;
  if (parameters.has('Clip skip'))
    parts.push(clipSkip > most ? `clip skip ${clipSkip} (of which ${most} is the most)` : `clip skip ${clipSkip}`);
  taken = { ...taken, clipSkip: Math.min(clipSkip, most) };

  const emphasis = parameters.get('Emphasis');
  const mode = emphasisModes[emphasis ?? 'Original'];
  if (emphasis !== undefined && mode) parts.push(`emphasis ${emphasis}`);
  else if (emphasis !== undefined) told.push(`Its emphasis “${emphasis}” is not known here.`);
  if (mode && (emphasis !== undefined || weighs(prompt) || weighs(negativePrompt))) {
    const isOther = mode.brackets !== taken.brackets || mode.weighting !== taken.weighting;
    if (emphasis === undefined && isOther)
      told.push('It names no emphasis mode, so weights act as in A1111’s mode Original, which A1111 sets then.');
    taken = { ...taken, ...mode };
  }

  const old = isBeforeA1111V16(parameters) && prompt.includes('[');
  const isOld = old || parameters.get('Old prompt editing timelines') === 'True';
  if (isOld) parts.push('schedules as before A1111 1.6');
  taken = { ...taken, timeline: isOld ? 'before-1.6' : 'since-1.6' };

  return {
    reader,
    prompts: { positive: prompt, negative: negativePrompt },
    options: taken,
    summary: [`${listed(parts, parts.length)}.`, ...told].join(' '),
  };
}

/** Whether A1111 finds a weight other than 1 in a prompt, read as a whole. Of one that is too long to be taken nobody asks. */
function weighs(prompt: string): boolean {
  if (prompt.length > longestPrompt) return false;
  return parseA1111(sourceText(prompt)).fragments.some(({ kind, weight }) => kind === 'text' && weight !== 1);
}

/** The marks of comments and choices, which ComfyUI's page reads. */
const pageMarks = /[{}]|\/[/*]/;

/** Takes the prompts of ComfyUI's graph, and says of which sampler they are. */
function takeGraph(graph: GraphPrompts, options: PromptOptions): TakenPrompts {
  const { prompts, clipSkip, sampler, loras, remarks, fromPage, advanced } = graph;
  const of = sampler ? ` of ComfyUI’s sampler ${sampler.id} (${sampler.type})` : ' of the only text in ComfyUI’s graph';
  const among = sampler && sampler.among > 1 ? `, the first of ${sampler.among}` : '';
  const parts = sampler ? ['prompt', 'negative prompt'] : ['prompt'];
  const weighed = advanced ? `, weighed as “${advanced.interpretation}” (${advanced.normalisation})` : '';
  const skipped = clipSkip > 1 ? `, and clip skip ${clipSkip}` : '';
  const { most } = optionValues.clipSkip;
  // The page would read the texts a second time.
  const isSent = !fromPage && Object.values(prompts).some((prompt) => pageMarks.test(prompt));
  const merged = loras.map(({ name, strength }) => `“${name}” × ${strength}`);
  return {
    reader: 'ComfyUI',
    prompts,
    options: {
      ...withOption(options, 'syntax', 'comfy'),
      weighting: interpretations[advanced?.interpretation ?? 'comfy'] ?? ownMethod.comfy,
      normalisation: tokenNormalisations.find((name) => name === advanced?.normalisation) ?? 'none',
      comfyInput: isSent ? 'api' : 'page',
      clipSkip: Math.min(clipSkip, most),
    },
    summary: [
      `${listed(parts, parts.length)}${of}${among}${weighed}${skipped}.`,
      ...remarks.map((remark) => `${remark}.`),
      ...(isSent ? ['Its texts are those that ComfyUI’s page sent, which is left out here.'] : []),
      ...(merged.length > 0
        ? [
            `Its graph merges ${merged.length === 1 ? 'the LoRA' : 'the LoRAs'} ${listed(merged)} into the encoder, which is not taken.`,
          ]
        : []),
    ].join(' '),
  };
}

/** Says a number, and how much of it is taken where it is more than may be. */
function bounded(count: number, noun: string, { most }: Bounds): string {
  return count > most ? `${counted(count, noun)} (of which ${most} are taken)` : counted(count, noun);
}
