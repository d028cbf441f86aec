/** The suite's requests answered by this project itself. */
import { type EncoderOutput, type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import { createCpuEncoder } from '../cpu/cpuEncoder.ts';
import { splitParts } from '../prompt/a1111/andParts.ts';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { removeNetworks } from '../prompt/a1111/extraNetworks.ts';
import { parseSchedule, resolveSchedule } from '../prompt/a1111/promptSchedule.ts';
import type { Fragment } from '../prompt/ast.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { readDynamicPrompt, sameChooser } from '../prompt/comfy/dynamicPrompt.ts';
import { type CompelBlend, type CompelItem, type CompelPrompt, parseCompel } from '../prompt/compel/compelPrompt.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { clipSkip, clipSkipHiddenStates, clipSkipState } from '../road/clipSkip.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from '../road/pipeline.ts';
import { emphasisModes, interpretations } from '../road/writtenPrompts.ts';
import { chunkA1111 } from '../tokens/chunks/a1111Chunks.ts';
import { chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import { chunkCompel, compelChunkDefaults } from '../tokens/chunks/compelChunks.ts';
import type { TokenChunk } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { TokenizerFlavour } from '../tokens/tokenizerFlavours.ts';
import { compelMask } from '../weighting/compelMask.ts';
import { compelRemove } from '../weighting/compelRemove.ts';
import type { TokenNormalisation } from '../weighting/normalise.ts';
import type { ConformanceRequest } from './cases.ts';
import type { Implementation } from './score.ts';

/** Writes a number as JSON can hold it. */
const written = (value: number) =>
  Number.isFinite(value) ? value : String(value).replace('Infinity', 'inf').toLowerCase();
const pairsOf = (fragments: readonly Fragment[]) => fragments.map(({ text, weight }) => [text, written(weight)]);

interface Input {
  readonly prompt: string;
  readonly [name: string]: unknown;
}

type Answer = (input: Input, tokenizer: Tokenizer) => unknown;

/** Tokens up to the first EOS, which is the last of `rows` where `withEos`. */
function rowsOf({ tokens }: TokenChunk, withEos: boolean): number {
  return tokens.findIndex(({ kind }) => kind === 'eos') + (withEos ? 1 : 0);
}

function compelItems(items: readonly CompelItem[]): unknown[] {
  return items.map((item) => {
    if (item.kind !== 'swap') return [item.text, written(item.weight)];
    const { original, edited, options } = item;
    return { type: 'swap', original: compelItems(original), edited: compelItems(edited), options };
  });
}

function compelContent(content: CompelPrompt | CompelBlend): unknown {
  if (content.kind === 'prompt') return { type: 'prompt', fragments: compelItems(content.items) };
  const { prompts, weights, normalise } = content;
  return { type: 'blend', prompts: prompts.map(compelContent), weights: weights.map(written), normalize: normalise };
}

/** Embeddings of so many vectors, each of which knows its number. */
function embeddingsOf(counts: Readonly<Record<string, number>>) {
  return Object.entries(counts).map(([name, count]) => ({
    name,
    vectors: Array.from({ length: count }, (_, i) => Float32Array.of(i)),
  }));
}

/** Embeddings in a chunk as A1111 notes them: the place of the first vector without BOS, the name, the number of vectors. */
function fixesOf({ tokens, vectors }: TokenChunk, counts: Readonly<Record<string, number>>) {
  return tokens.flatMap(({ vector }, row) => {
    if (!vector || vectors!.get(row)![0] !== 0) return [];
    return [[row - 1, vector.name, counts[vector.name]]];
  });
}

const answers: Readonly<Record<string, Answer>> = {
  'a1111 parse'({ prompt }) {
    const { fragments, diagnostics } = parseA1111(prompt);
    return diagnostics.some(({ severity }) => severity === 'error') ? null : pairsOf(fragments);
  },
  'a1111 schedule'({ prompt, steps, useOldScheduling }) {
    const options = { steps: Number(steps), useOldScheduling: useOldScheduling === true };
    return resolveSchedule(parseSchedule(sourceText(prompt)), options).map(({ endAtStep, text }) => [
      endAtStep,
      text.text,
    ]);
  },
  'a1111 parts': ({ prompt }) => splitParts(sourceText(prompt)).parts.map(({ text, weight }) => [text.text, weight]),
  'a1111 networks'({ prompt }) {
    const { text, networks } = removeNetworks(sourceText(prompt));
    const items: Record<string, (readonly string[])[]> = {};
    for (const { kind, args } of networks) items[kind] = [...(items[kind] ?? []), args];
    return { text: text.text, networks: items };
  },
  'a1111 chunk'({ prompt, commaPaddingBacktrack, emphasis, embeddings }, tokenizer) {
    const { fragments, diagnostics } = parseA1111(prompt);
    if (diagnostics.some(({ severity }) => severity === 'error')) return null;
    const counts = embeddings as Readonly<Record<string, number>>;
    const whole: Fragment = { kind: 'text', weight: 1, ...sourceText(prompt), start: 0, end: prompt.length };
    const { tokenCount, chunks } = chunkA1111(emphasis ? fragments : [whole], tokenizer, embeddingsOf(counts), {
      commaPaddingBacktrack: Number(commaPaddingBacktrack),
    });
    const made = chunks.map((chunk) => ({
      ids: Array.from(chunk.inputIds),
      weights: Array.from(chunk.perTokenWeights, written),
      embeddings: fixesOf(chunk, counts),
    }));
    return { tokenCount, chunks: made };
  },
  'compel parse'({ prompt }) {
    const { parts, loras, diagnostics } = parseCompel(prompt);
    const codes = diagnostics.map(({ code }) => code);
    if (codes.includes('text-after-blend') || codes.includes('weight-count')) return null;
    const kept = codes.includes('nothing-to-encode') ? [] : parts;
    return {
      type: 'conjunction',
      prompts: kept.map(({ content }) => compelContent(content)),
      weights: kept.map(({ weight }) => written(weight)),
      loras: loras.map(({ name, weight }) => ({ model: name, weight: written(weight) })),
    };
  },
  'compel chunk'({ prompt }, tokenizer) {
    const prompts = parseCompel(prompt).parts.flatMap(({ content }) =>
      content.kind === 'blend' ? content.prompts : [content],
    );
    return prompts.map(({ fragments }) => {
      const [chunk] = chunkCompel(fragments, tokenizer, [], { ...compelChunkDefaults, flavour: 'hf-v5' }).chunks;
      const length = rowsOf(chunk, true);
      return {
        ids: Array.from(chunk.inputIds.slice(0, length)),
        weights: Array.from(chunk.perTokenWeights.slice(0, length), written),
      };
    });
  },
  'comfy parse': ({ prompt }) => pairsOf(parseComfy(prompt).fragments),
  'comfy page'({ prompt, choices }) {
    const chooser = sameChooser((choices as number[]).map((chosen) => ({ chosen })));
    return readDynamicPrompt(prompt, chooser).text.text;
  },
  'comfy chunk'({ prompt, version }, tokenizer) {
    const unit = version === '2024' ? 'words' : 'segments';
    const { chunks } = chunkComfy(parseComfy(prompt).fragments, tokenizer, [], { unit });
    return chunks.map((chunk) =>
      Array.from({ length: rowsOf(chunk, false) }, (_, i) => [
        chunk.inputIds[i],
        written(chunk.perTokenWeights[i]),
        chunk.wordIds![i],
      ]),
    );
  },
  'clip tokenize': ({ text, tokenizer: flavour }, tokenizer) =>
    tokenizer.tokenize(sourceText(String(text)), flavour as TokenizerFlavour).map(({ id }) => id),
};

/** The options of a request to weigh, as this project has them. */
function weighingOptions({
  program,
  input,
}: ConformanceRequest): Partial<PromptOptions> & Pick<PromptOptions, 'syntax' | 'weighting'> {
  switch (program) {
    case 'a1111':
      return {
        syntax: 'a1111',
        ...emphasisModes[String(input.emphasis)],
        clipSkip: Number(input.clipSkip),
      };
    case 'compel':
      return {
        syntax: 'compel',
        weighting: (input.downweight === 'remove' ? compelRemove : compelMask).name,
        mask: input.paddingAttentionMaskValue === 0 ? 'hf' : 'causal',
        clipSkip: input.returned === 'last' ? 1 : 2,
      };
    default:
      return {
        syntax: 'comfy',
        weighting: interpretations[String(input.interpretation)],
        normalisation: input.normalization as TokenNormalisation,
        comfyUnit: input.version === '2024' ? 'words' : 'segments',
        comfyInput: 'api',
      };
  }
}

/** Answers every request; `model` opens the file that requests to weigh name. Encoders of models run on the CPU, and are kept. */
export function ownAnswers(tokenizer: Tokenizer, model: (path: string) => Promise<WeightSource>): Implementation {
  const encoders = new Map<string, ReturnType<typeof createCpuEncoder>>();
  async function weigh(request: ConformanceRequest): Promise<unknown> {
    const { prompt, rows, model: path, returned } = request.input;
    const options = { ...defaultOptions, ...weighingOptions(request) };
    const opening = encoders.get(String(path)) ?? model(String(path)).then((source) => createCpuEncoder(source));
    encoders.set(String(path), opening);
    const encoder = await opening;
    const { config, finalLayerNorm } = encoder;
    // A negative prompt is not split at AND.
    const prepared = preparePrompt(String(prompt), options, tokenizer, 'negative');
    const passes = promptPasses(prepared, options.weighting);
    const hidden = clipSkipState(options.clipSkip, config);
    const hiddenStates = clipSkipHiddenStates(options.clipSkip, config);
    const { outputs } = await encoder.encode(passes, { hiddenStates, attentions: false });
    const byKey = new Map(passes.map((pass, i) => [passKey(pass), outputs[i]]));
    const outputOf = (pass: EncoderPass): EncoderOutput => byKey.get(passKey(pass))!;
    const [embeds] = promptEmbeds(
      prepared,
      (pass) =>
        returned === 'penultimate'
          ? outputOf(pass).hiddenStates.get(hidden)!
          : clipSkip(outputOf(pass), options.clipSkip, config, finalLayerNorm),
      options.weighting,
    );
    const d = config.hiddenSize;
    return (rows as number[]).map((row) => Array.from(embeds.subarray(row * d, (row + 1) * d)));
  }
  return async (request) => {
    if (request.kind === 'weigh') return { result: await weigh(request) };
    const answer = answers[`${request.program} ${request.kind}`];
    return answer ? { result: answer(request.input as Input, tokenizer) } : { skip: 'There is no such kind here.' };
  };
}
