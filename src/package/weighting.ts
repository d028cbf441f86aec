/**
 * `clipscope/weighting`: from a prompt to what an encoder has to compute, and from what it computed to the conditioning that the
 * U-Net gets, as each program weighs. Any encoder will do: that of `clipscope/engine`, or another one's outputs.
 */
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { PromptLora } from '../prompt/a1111/extraNetworks.ts';
import type { Diagnostic } from '../prompt/ast.ts';
import { PromptBoundError } from '../prompt/bounds.ts';
import type { Side } from '../prompt/side.ts';
import type { Syntax } from '../prompt/syntax.ts';
import {
  type ConditioningModel,
  type ConditioningTensor,
  exportConditioning,
  exportMetadata,
  exportPasses,
} from '../road/export/exportConditioning.ts';
import { defaultOptions, isWithin, optionValues, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import type { PreparedText } from '../road/preparedPrompt.ts';
import type { PromptEmbedding } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { Method } from '../weighting/method.ts';
import { type MethodName, methodNames, methods, ownMethod } from '../weighting/methods.ts';

export type { ConditioningModel, ConditioningTensor, EncoderPass };
export { defaultOptions, type MethodName, methodNames, optionValues, ownMethod, PromptBoundError, type PromptOptions };

/** The weighting methods by name: each with its label, help, source and formula. */
export const weightingMethods: Readonly<
  Record<MethodName, Pick<Method, 'name' | 'label' | 'help' | 'source' | 'formula'>>
> = methods;

/** Options to read and weigh a prompt with; `optionValues` lists their values, and those left out are `defaultOptions`. */
export interface PrepareOptions extends Partial<PromptOptions> {
  readonly syntax: Syntax;
  /** The negative prompt, which is completed to one length with the prompt as the program does. */
  readonly negative?: string;
  /** The side of the prompt itself: only a positive one is split at AND. By default `positive`. */
  readonly side?: Side;
  /** Textual inversions that the prompts may name. */
  readonly embeddings?: readonly PromptEmbedding[];
}

/** One of the two prompts, read and chunked. */
export interface PreparedSide {
  /** Texts that are encoded by themselves, with fragments, chunks of tokens, and counts. */
  readonly texts: readonly Pick<
    PreparedText,
    'operator' | 'weight' | 'start' | 'end' | 'fragments' | 'chunks' | 'cut' | 'tokenCount' | 'target' | 'applied'
  >[];
  /** LoRAs that it names, with their multipliers. `encodePrompts` merges those that it is given, opened. */
  readonly loras: readonly PromptLora[];
  /** Diagnostics of the parser, the linter and the chunker, sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Prompts of a picture, ready to be encoded. */
export interface PreparedPrompts {
  readonly options: PromptOptions;
  readonly positive: PreparedSide;
  readonly negative: PreparedSide | null;
  /** The rows of the encoder's input that have to be encoded, each once: ids, mask, and vectors that replace embeddings. */
  readonly passes: readonly EncoderPass[];
  /**
   * Weighs the encoder's outputs, [L, d] each in the order of `passes`: the last hidden state, or with a clip skip the final
   * LayerNorm of an earlier one. Returns `prompt_embeds` [1, L·n, d] (`prompt_embeds.0`, `.1` … of an AND),
   * `negative_prompt_embeds`, and key masks where the mask hides keys. Throws RangeError for another number of outputs or sizes.
   */
  weigh(outputs: readonly Float32Array[]): ConditioningTensor[];
  /** Says what the numbers were made from, as metadata of a safetensors file. */
  metadata(model: ConditioningModel): Record<string, string>;
}

/**
 * Reads, chunks and weighs a prompt, and a negative one. Throws PromptBoundError for a prompt that is too long to be read, and
 * RangeError for an option that there is not.
 */
export function prepare(prompt: string, tokenizer: Tokenizer, given: PrepareOptions): PreparedPrompts {
  const { negative = null, side = 'positive', embeddings = [], ...chosen } = given;
  const options = checkedOptions(chosen);
  const read = (text: string, side: Side) => {
    const prepared = preparePrompt(text, options, tokenizer, side, embeddings);
    if (prepared.refusal) throw new PromptBoundError(prepared.refusal);
    return prepared;
  };
  const pair = {
    positive: read(prompt, side),
    negative: negative === null ? null : read(negative, 'negative'),
    options,
  };
  const passes = exportPasses(pair);
  const places = new Map(passes.map((pass, i) => [passKey(pass), i]));
  return {
    ...pair,
    passes,
    weigh(outputs) {
      checkOutputs(outputs, passes);
      return exportConditioning(pair, (pass) => outputs[places.get(passKey(pass))!]).map(
        ({ rows: _, ...rest }) => rest,
      );
    },
    metadata: (model) => exportMetadata(pair, model),
  };
}

function checkOutputs(outputs: readonly Float32Array[], passes: readonly EncoderPass[]): void {
  if (outputs.length !== passes.length)
    throw new RangeError(
      `There are ${passes.length} passes and ${outputs.length} outputs: give one for each, in order.`,
    );
  const size = outputs[0].length;
  const L = passes[0].inputIds.length;
  const bad = outputs.findIndex(({ length }) => length !== size || length === 0 || length % L !== 0);
  if (bad >= 0)
    throw new RangeError(
      `Output ${bad} has ${outputs[bad].length} numbers; expected ${L} rows of one width, as in output 0 (${size}).`,
    );
}

/** Completes options, weighting as the program of the language does where no method is named. Throws RangeError. */
function checkedOptions(chosen: Partial<PromptOptions>): PromptOptions {
  for (const [name, value] of Object.entries(chosen)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(optionValues, name))
      throw new RangeError(`There is no option "${name}"; there are ${Object.keys(optionValues).join(', ')}.`);
    const allowed = optionValues[name as keyof PromptOptions];
    if ('least' in allowed) {
      if (!isWithin(allowed, value))
        throw new RangeError(`"${name}" is a whole number from ${allowed.least} to ${allowed.most}, not ${value}.`);
    } else if ('longest' in allowed) {
      if (typeof value !== 'string' || value.length > allowed.longest)
        throw new RangeError(`"${name}" is a text of at most ${allowed.longest} characters.`);
    } else if (!(allowed as readonly unknown[]).includes(value))
      throw new RangeError(`"${name}" is one of ${allowed.join(', ')}, not "${value}".`);
  }
  const named = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const options: PromptOptions = { ...defaultOptions, ...named };
  const { step, steps } = options;
  if (step > steps) throw new RangeError(`"step" is at most "steps", ${steps}, not ${step}.`);
  return { ...options, weighting: chosen.weighting ?? ownMethod[options.syntax] };
}
