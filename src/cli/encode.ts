import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import { allowRelaxedSimd, nodeCores, spawnNodeThread } from '../cpu/nodeThreads.ts';
import type { Encoder } from '../engine/encoder.ts';
import { type EngineChoice, engineNames } from '../engine/engineChoice.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { TrailingBytesError } from '../files/safetensors.ts';
import { excerpt, type TensorFile } from '../files/tensorFile.ts';
import { requestGpuDevice, WebGpuUnavailableError } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { nodeGpu } from '../gpu/node.ts';
import { chooseKernels } from '../gpu/tuning.ts';
import { bringsEmbeddings, type Embedding, openEmbeddings, readEmbeddings } from '../models/embeddingFile.ts';
import { lacksSettingsText, unchangedText } from '../models/leftOut.ts';
import { loraNamed } from '../models/loraAliases.ts';
import { mergedFinalLayerNorm } from '../models/loraDelta.ts';
import { type Lora, readLora } from '../models/loraFile.ts';
import { textEncoder } from '../models/openCheckpoint.ts';
import { isPeftConfig } from '../models/peftConfig.ts';
import { smallModelName, smallModelPath } from '../models/smallModel.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { weightsHash } from '../models/weightsHash.ts';
import type { PromptLora } from '../prompt/a1111/extraNetworks.ts';
import type { Side } from '../prompt/side.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { clipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import { type ConditioningFormat, conditioningFormats, writeConditioning } from '../road/export/conditioningFile.ts';
import {
  allFinite,
  type ConditioningModel,
  type ConditioningPair,
  type ConditioningTensor,
  exportConditioning,
  exportMetadata,
  exportPasses,
  prefixed,
  whyNotFinite,
} from '../road/export/exportConditioning.ts';
import { type Bounds, defaultOptions, isWithin, optionValues, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { isUnknown } from '../road/study/knownWords.ts';
import { readWritten } from '../road/writtenPrompts.ts';
import { withMaxLength } from '../tokens/maxLength.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { ownFlavour, tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { distinct } from '../weighting/method.ts';
import { methodNames, methods, ownMethod } from '../weighting/methods.ts';
import { longestPsi } from '../weighting/psi.ts';
import { readPsi } from '../weighting/psiMaps.ts';
import { chooseEncoder, cpuEngine, type Engines } from '../worker/engines.ts';
import { fileSource } from './fileSource.ts';
import { endWhenInterrupted } from './interruption.ts';
import { writeWholeFile } from './wholeFile.ts';
import { readWrittenFile } from './writtenFile.ts';

const usage = `Encodes a prompt with Stable Diffusion 1.5's text encoder, without a browser.

  npm run encode -- --prompt "a (red:1.3) car" [options]

  --prompt TEXT       what to encode
  --model MODEL       small (a CLIP of coloured shapes that comes with this, the default), synthetic (random weights),
                      synthetic-tiny, or a file: .safetensors, .ckpt, .pt, .bin
  --syntax SYNTAX     ${optionValues.syntax.join(', ')} (default ${defaultOptions.syntax})
  --weighting METHOD  ${optionValues.weighting.join(', ')}
                      (default: as the program of the syntax does, ${Object.values(ownMethod).join(', ')})
  --context WAY       ${optionValues.context.join(', ')}: whether each word is encoded in its prompt, or without any other word
                      (default ${defaultOptions.context})
  --row-maps MAPS     for psi: rows and expressions of z, empty, mean, r, alone and w, such as
                      "2-4: z * 1.3; 7: z - proj(z, r); r = a red cat"; both prompts'
                      rows of these numbers are mapped
  --normalisation N   ${optionValues.normalisation.join(', ')}: of the weights, for
                      ${methodNames.filter((name) => methods[name].normalises).join(', ')} (default ${defaultOptions.normalisation})
  --brackets AS       A1111: weights, or text as its emphasis mode "None" reads them (default weights)
  --square-factor F   A1111: 1/1.1, or 0.9 as the lecture has it, for [x] (default 1/1.1)
  --role ROLE         positive or negative: only a positive A1111 prompt is split at AND (default positive)
  --clip-skip K       as A1111 counts, from 1, which is none (default 1)
  --steps N --step N  A1111: sampling steps, and the one whose text is encoded (default 20 and 1)
  --timeline WHEN     A1111: ${optionValues.timeline.join(', ')}: how numbers of schedules count (default ${defaultOptions.timeline})
  --comma-backtrack N A1111: tokens that may move to the next chunk with a comma (default 20)
  --split MODE        Compel: ${optionValues.split.join(', ')} (default ${defaultOptions.split})
  --cls-tokens MODE   Compel: ${optionValues.clsTokens.join(', ')}, for the first EOS rows of
                      split prompts (default ${defaultOptions.clsTokens})
  --comfy-unit UNIT   ComfyUI: ${optionValues.comfyUnit.join(', ')} (default ${defaultOptions.comfyUnit})
  --comfy-input WAY   ComfyUI: page, which takes out // and /* */ comments and chooses one of {a|b}, or api, which gets the
                      prompt as typed (default ${defaultOptions.comfyInput})
  --seed N            ComfyUI's page: the seed of its choices (default ${defaultOptions.choiceSeed})
  --variant N --negative-variant N   ComfyUI's page: choose what gives this variant of the prompt, from 1, instead of by the
                      seed
  --mask MODE         ${optionValues.mask.join(', ')} (default ${defaultOptions.mask})
  --tokenizer NAME    ${tokenizerFlavours.join(', ')}, or ${defaultOptions.tokenizer}: the one
                      of the syntax's program, ${syntaxes.map((syntax) => ownFlavour[syntax]).join(', ')} (default ${defaultOptions.tokenizer})
  --embedding FILE    a textual inversion, which stands where the prompts name it; again for another
  --lora FILE         a LoRA, merged while the positive prompt names its file (<lora:name:0.8>), with the textual inversions
                      that it brings and the adapter_config.json beside an adapter_model.safetensors; again for another
  --pass-trailing-bytes   open files with bytes after their last tensor, as ComfyUI does; A1111 and diffusers refuse them
  --engine ENGINE     ${engineNames.join(', ')} (default automatic: a GPU where there is one, and else the CPU)
  --threads N         threads of the CPU engine, at most one a core (default: one a core)
  --adapter NAME      part of a graphics adapter's name; WebGPU runs on it
  --negative TEXT     the negative prompt, which is encoded too, and completed to one length with the prompt
  --from FILE         instead of --prompt: a picture of A1111's, NovelAI's or ComfyUI's, ComfyUI's JSON, or an infotext; its
                      prompts, and the options that it names, in place of those here
  --prompts FILE      instead of --prompt: a prompt a line, or a JSON list of texts and of objects with "prompt",
                      perhaps "negative", and options by the names here ("clip-skip": 2); - reads standard input
  --out FILE          write prompt_embeds [1, L·n, d], negative_prompt_embeds, with a mask that masks attention_mask,
                      and last_hidden_state [n, L, d], with what they were made from: .safetensors or .npz; or .npy for
                      prompt_embeds alone. L is 77, and 248 with Long-CLIP. The parts of an AND are prompt_embeds.0 and on (stacked in an .npy); of
                      --prompts, the names begin with 0. and on
`;

/** The person can correct the mistake; the message is one sentence. */
class UsageError extends Error {}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}, not "${value}".`);
  return found;
}

function whole(option: string, value: string, { least, most }: Bounds): number {
  const number = Number(value);
  if (value.trim() !== '' && isWithin({ least, most }, number)) return number;
  throw new UsageError(`--${option} is a whole number from ${least} to ${most}, not "${value}".`);
}

/** Checks maps of rows, every one of which has to be right. Throws UsageError. */
function rowMaps(value: string): string {
  if (value.length > longestPsi)
    throw new UsageError(`--row-maps has at most ${longestPsi} characters, not ${value.length}.`);
  const [problem] = readPsi(value).problems;
  if (problem)
    throw new UsageError(`--row-maps, at “${value.slice(problem.start, problem.end).trim()}”: ${problem.message}`);
  return value;
}

/** One prompt to encode, with its options. */
interface Job {
  readonly prompt: string;
  readonly negative: string | null;
  readonly role: Side;
  readonly options: PromptOptions;
}

interface Output {
  readonly file: string;
  readonly format: ConditioningFormat;
}

interface Request {
  readonly jobs: readonly Job[];
  /** Whether the prompts came from a file: then names in the output are numbered, even if there is only one prompt. */
  readonly numbered: boolean;
  readonly model: string;
  /** Paths of files. */
  readonly embeddings: readonly string[];
  readonly loras: readonly string[];
  readonly passTrailingBytes: boolean;
  readonly engine: EngineChoice;
  readonly adapter?: string;
  readonly out?: Output;
}

const text = { type: 'string' } as const;

/** Options that may differ from one prompt of a file to the next. */
const jobOptions = {
  prompt: text,
  negative: text,
  role: { ...text, default: 'positive' },
  syntax: { ...text, default: defaultOptions.syntax },
  weighting: text,
  context: { ...text, default: defaultOptions.context },
  'row-maps': { ...text, default: defaultOptions.rowMaps },
  normalisation: { ...text, default: defaultOptions.normalisation },
  'square-factor': { ...text, default: defaultOptions.squareFactor },
  brackets: { ...text, default: defaultOptions.brackets },
  timeline: { ...text, default: defaultOptions.timeline },
  'clip-skip': { ...text, default: '1' },
  steps: { ...text, default: String(defaultOptions.steps) },
  step: { ...text, default: '1' },
  'comma-backtrack': { ...text, default: String(defaultOptions.commaPaddingBacktrack) },
  split: { ...text, default: defaultOptions.split },
  'cls-tokens': { ...text, default: defaultOptions.clsTokens },
  'comfy-unit': { ...text, default: defaultOptions.comfyUnit },
  'comfy-input': { ...text, default: defaultOptions.comfyInput },
  seed: { ...text, default: String(defaultOptions.choiceSeed) },
  variant: { ...text, default: '0' },
  'negative-variant': { ...text, default: '0' },
  mask: { ...text, default: defaultOptions.mask },
  tokenizer: { ...text, default: defaultOptions.tokenizer },
} as const;

type Values = Readonly<Record<string, string | undefined>>;

/** Reads one prompt and its options. Throws UsageError. */
function readJob(values: Values): Job {
  const { prompt, negative = null } = values;
  if (prompt === undefined) throw new UsageError('There is no --prompt; see --help.');
  const syntax = oneOf('syntax', String(values.syntax), optionValues.syntax);
  const steps = whole('steps', String(values.steps), optionValues.steps);
  return {
    prompt,
    negative,
    role: oneOf<Side>('role', String(values.role), ['positive', 'negative']),
    options: {
      syntax,
      weighting: oneOf('weighting', values.weighting ?? ownMethod[syntax], optionValues.weighting),
      mask: oneOf('mask', String(values.mask), optionValues.mask),
      tokenizer: oneOf('tokenizer', String(values.tokenizer), optionValues.tokenizer),
      context: oneOf('context', String(values.context), optionValues.context),
      rowMaps: rowMaps(String(values['row-maps'])),
      normalisation: oneOf('normalisation', String(values.normalisation), optionValues.normalisation),
      squareFactor: oneOf('square-factor', String(values['square-factor']), optionValues.squareFactor),
      brackets: oneOf('brackets', String(values.brackets), optionValues.brackets),
      timeline: oneOf('timeline', String(values.timeline), optionValues.timeline),
      clipSkip: whole('clip-skip', String(values['clip-skip']), optionValues.clipSkip),
      steps,
      step: whole('step', String(values.step), { least: optionValues.step.least, most: steps }),
      commaPaddingBacktrack: whole(
        'comma-backtrack',
        String(values['comma-backtrack']),
        optionValues.commaPaddingBacktrack,
      ),
      split: oneOf('split', String(values.split), optionValues.split),
      clsTokens: oneOf('cls-tokens', String(values['cls-tokens']), optionValues.clsTokens),
      comfyUnit: oneOf('comfy-unit', String(values['comfy-unit']), optionValues.comfyUnit),
      comfyInput: oneOf('comfy-input', String(values['comfy-input']), optionValues.comfyInput),
      choiceSeed: whole('seed', String(values.seed), optionValues.choiceSeed),
      positiveVariant: whole('variant', String(values.variant), optionValues.positiveVariant),
      negativeVariant: whole('negative-variant', String(values['negative-variant']), optionValues.negativeVariant),
    },
  };
}

/** Most bytes of a file of prompts: thousands of prompts, and little enough that no JSON in it takes a second to read. */
const longestList = 1 << 20;

/** The name of a file in messages; "-" is standard input. */
const nameOf = (file: string) => (file === '-' ? '"standard input"' : `"${file}"`);

/** Reads a file of text, also one without a size, such as a pipe or standard input. Throws UsageError. */
async function readText(file: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of file === '-' ? process.stdin : createReadStream(file)) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > longestList) break;
    }
  } catch (error) {
    throw new UsageError(`"${file}" could not be read: ${(error as Error).message.split(',')[0]}.`);
  }
  if (bytes > longestList)
    throw new UsageError(`${nameOf(file)} has more than 1 MB of prompts; split it into several files.`);
  return Buffer.concat(pieces).toString('utf8');
}

/**
 * Reads the prompts of a file: JSON if it begins with [, otherwise one prompt a line, without empty lines. Throws
 * UsageError.
 */
async function readPrompts(file: string, values: Values): Promise<Job[]> {
  const contents = await readText(file);
  let listed: unknown[] = contents.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (contents.trimStart().startsWith('['))
    try {
      listed = JSON.parse(contents);
    } catch {
      throw new UsageError(
        `${nameOf(file)} begins like a JSON list and is none; a file of one prompt a line begins otherwise.`,
      );
    }
  if (listed.length === 0) throw new UsageError(`${nameOf(file)} holds no prompt.`);
  return listed.map((entry, i) => {
    const fail = (why: string): never => {
      throw new UsageError(`${nameOf(file)}, prompt ${i + 1}: ${why}`);
    };
    if (typeof entry === 'string') return readJob({ ...values, prompt: entry });
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
      return fail('it is neither a text nor an object with "prompt".');
    for (const [name, value] of Object.entries(entry)) {
      if (!Object.hasOwn(jobOptions, name)) fail(`"${name}" is not among ${Object.keys(jobOptions).join(', ')}.`);
      if (typeof value !== 'string' && typeof value !== 'number') fail(`"${name}" is neither a text nor a number.`);
    }
    const own = Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, String(value)]));
    if (own.prompt === undefined) fail('it has no "prompt".');
    try {
      return readJob({ ...values, ...own });
    } catch (error) {
      return fail((error as Error).message);
    }
  });
}

/** Takes the prompts and options that a program wrote into a file, and says which. Throws UsageError, NoPromptError and SourceError. */
async function readFrom(file: string, values: Values): Promise<Job> {
  const { negative, role, options } = readJob({ ...values, prompt: '' });
  const [{ prompts, options: taken, summary }, other] = readWritten(await readWrittenFile(file), options);
  console.log(`from ${basename(file)}: ${summary}${other ? ` ${other.reader} reads it otherwise.` : ''}`);
  return { prompt: prompts.positive ?? '', negative: prompts.negative ?? negative, role, options: taken };
}

/** Throws UsageError if the format of the file cannot hold the jobs' tensors. */
function readOutput(file: string, jobs: readonly Job[], numbered: boolean): Output {
  const ending = extname(file).slice(1).toLowerCase();
  const format = conditioningFormats.find((one) => one === ending);
  if (!format)
    throw new UsageError(`--out ends in ${conditioningFormats.map((one) => `.${one}`).join(', ')}, not "${file}".`);
  if (format === 'npy' && (numbered || jobs[0].negative !== null))
    throw new UsageError(
      `"${file}" can hold one array: write .npz or .safetensors, or leave out --negative and --prompts.`,
    );
  return { file, format };
}

/** Reads the choice of the engine. Throws UsageError. */
function readEngine({ engine: named, threads, adapter }: Values): EngineChoice {
  const engine = oneOf('engine', named ?? (adapter === undefined ? 'automatic' : 'webgpu'), engineNames);
  if (engine === 'cpu' && adapter !== undefined)
    throw new UsageError('--adapter names a GPU; leave it out, or leave out --engine cpu.');
  if (engine === 'webgpu' && threads !== undefined)
    throw new UsageError(
      `--threads are those of the CPU; leave it out, or leave out ${named === undefined ? '--adapter' : '--engine webgpu'}.`,
    );
  return { engine, threads: threads === undefined ? null : whole('threads', threads, { least: 1, most: nodeCores() }) };
}

/** Reads the command line; undefined if help was asked for. Throws UsageError, and what readFrom throws. */
async function readArguments(args: readonly string[]): Promise<Request | undefined> {
  let parsed: Readonly<Record<string, string | boolean | string[] | undefined>>;
  try {
    ({ values: parsed } = parseArgs({
      args: [...args],
      options: {
        ...jobOptions,
        prompts: text,
        from: text,
        model: { ...text, default: 'small' },
        embedding: { ...text, multiple: true, default: [] },
        lora: { ...text, multiple: true, default: [] },
        'pass-trailing-bytes': { type: 'boolean', default: false },
        engine: text,
        threads: text,
        adapter: text,
        out: text,
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0].replace(/\.$/, '')}; see --help.`);
  }
  if (parsed.help) return undefined;
  const { embedding, lora, ...others } = parsed;
  const values = others as Values;
  const { prompts, from, model, adapter, out } = values;
  const given = ['prompt', 'prompts', 'from'].filter((name) => values[name] !== undefined);
  if (given.length > 1) throw new UsageError(`There is both --${given[0]} and --${given[1]}; give one of them.`);
  const numbered = prompts !== undefined;
  const jobs = numbered
    ? await readPrompts(prompts, values)
    : [from === undefined ? readJob(values) : await readFrom(from, values)];
  return {
    jobs,
    numbered,
    model: model!,
    embeddings: embedding as string[],
    loras: lora as string[],
    passTrailingBytes: parsed['pass-trailing-bytes'] === true,
    engine: readEngine(values),
    adapter,
    out: out === undefined ? undefined : readOutput(out, jobs, numbered),
  };
}

async function openModel(model: string, passTrailingBytes: boolean): Promise<WeightSource> {
  if (model === 'small')
    return textEncoder(await openTensorFile({ ...fileSource(join('public', smallModelPath)), name: smallModelName }));
  if (model === 'synthetic') return syntheticWeights(clipVitL14);
  if (model === 'synthetic-tiny') return syntheticWeights(clipTiny);
  return textEncoder(await openFile(model, passTrailingBytes));
}

/** Opens a file of tensors, and says where it has bytes that are passed over. */
async function openFile(path: string, passTrailingBytes: boolean): Promise<TensorFile> {
  const file = await openTensorFile(fileSource(path), undefined, { passTrailingBytes });
  if (file.trailingBytes)
    console.log(
      `warning: ${file.trailingBytes} bytes after the last tensor of "${path}" belong to none: they are passed over.`,
    );
  return file;
}

async function openEmbeddingFile(path: string, hiddenSize: number, passTrailingBytes: boolean): Promise<Embedding[]> {
  const source = fileSource(path);
  try {
    return await openEmbeddings(source, { hiddenSize });
  } catch (error) {
    if (!(passTrailingBytes && error instanceof TrailingBytesError)) throw error;
    console.log(`warning: ${error.message}`);
    return openEmbeddings(source, { hiddenSize, passTrailingBytes });
  }
}

/** Reads PEFT's settings beside a LoRA that has PEFT's name; undefined where there are none. */
async function settingsBeside(path: string): Promise<string | undefined> {
  if (!basename(path).startsWith('adapter_model.')) return undefined;
  const json = await readText(join(dirname(path), 'adapter_config.json')).catch(() => undefined);
  return json !== undefined && isPeftConfig(json) ? json : undefined;
}

/** Files that prompts can name. */
interface Networks {
  readonly embeddings: readonly Embedding[];
  readonly loras: ReadonlyMap<string, Lora>;
}

/**
 * Opens the files. If two have one name, the last counts. Throws EmbeddingError, LoraError, and what opening a file
 * throws.
 */
async function openNetworks(
  { embeddings, loras, passTrailingBytes }: Pick<Request, 'embeddings' | 'loras' | 'passTrailingBytes'>,
  config: ClipTextConfig,
): Promise<Networks> {
  const { hiddenSize } = config;
  const opened: Embedding[] = [];
  const merged = new Map<string, Lora>();
  for (const path of loras) {
    const file = await openFile(path, passTrailingBytes);
    const lora = await readLora(file, { config, adapterConfig: await settingsBeside(path) });
    if (lora.leftOut.lacksSettings) console.log(`warning: of "${path}": ${lacksSettingsText}.`);
    for (const { kind, names } of lora.leftOut.unsupported)
      console.log(
        `warning: ${names.length} tensors of "${path}" are of ${kind}, which cannot be merged: they are left out.`,
      );
    const { unknown } = lora.leftOut;
    if (unknown.length > 0)
      console.log(
        `warning: ${unknown.length} tensors of "${path}" have names that are not known here, such as ${excerpt(unknown[0])}: they are left out.`,
      );
    merged.set(lora.name, lora);
    if (bringsEmbeddings(file)) opened.push(...(await readEmbeddings(file, { hiddenSize })));
  }
  for (const path of embeddings) opened.push(...(await openEmbeddingFile(path, hiddenSize, passTrailingBytes)));
  return { embeddings: [...new Map(opened.map((one) => [one.name, one])).values()], loras: merged };
}

interface Running {
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly model: ConditioningModel;
  readonly networks: Networks;
  /** The ids that the model has rows for, where these are not all. */
  readonly knownIds?: ReadonlySet<number>;
}

interface Encoded {
  readonly tensors: readonly ConditioningTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly milliseconds: number;
}

/** Encodes a prompt and prints the result. Throws UsageError. */
async function encodeJob(
  { prompt, negative, role, options }: Job,
  { tokenizer, encoder, model, networks, knownIds }: Running,
): Promise<Encoded> {
  const { config } = encoder;
  const { hiddenSize: d, maxPositionEmbeddings: L, numHiddenLayers: N } = config;
  if (options.clipSkip > N + 1) throw new UsageError(`--clip-skip is at most ${N + 1} with this model.`);
  const { embeddings } = networks;
  const positive = preparePrompt(prompt, options, tokenizer, role, embeddings);
  const pair: ConditioningPair = {
    positive,
    negative: negative === null ? null : preparePrompt(negative, options, tokenizer, 'negative', embeddings),
    options,
  };
  const refusal = positive.refusal ?? pair.negative?.refusal;
  if (refusal) throw new UsageError(refusal);
  // In A1111 the LoRAs of the positive prompt act on both prompts, and those of the negative prompt on none.
  const named = role === 'positive' ? positive.loras : [];
  const merged = named.flatMap(({ name, multiplier }) => {
    const lora = loraNamed(networks.loras, ({ alias }) => alias, name);
    return lora && multiplier !== 0 && lora.updates.length > 0 ? [{ lora, multiplier }] : [];
  });
  const passes = distinct([...positive.chunks.map(({ pass }) => pass), ...exportPasses(pair)]);
  const hiddenStates = clipSkipHiddenStates(options.clipSkip, config);
  const loras = merged.map(({ lora: { updates }, multiplier }) => ({ updates, multiplier }));
  const { outputs, milliseconds } = await encoder.encode(passes, { hiddenStates, attentions: false }, { loras });
  const finalLayerNorm = mergedFinalLayerNorm(encoder.finalLayerNorm, loras);
  const byKey = new Map(passes.map((pass, i) => [passKey(pass), outputs[i]]));
  const outputOf = (pass: EncoderPass) => byKey.get(passKey(pass))!;
  const tensors = exportConditioning(pair, (pass) =>
    clipSkip(outputOf(pass), options.clipSkip, config, finalLayerNorm),
  );
  if (!allFinite(tensors))
    throw new UsageError(
      whyNotFinite(pair) ??
        `By these weights "${options.weighting}" divides by zero or multiplies by infinity; change them, or weigh by another --weighting.`,
    );
  printTokens(positive, knownIds);
  printLoras(named, networks);
  if (pair.negative) {
    console.log('Negative prompt:');
    printTokens(pair.negative, knownIds);
  }
  const n = positive.chunks.length;
  const lastHiddenState = new Float32Array(n * L * d);
  for (const [i, { pass }] of positive.chunks.entries()) lastHiddenState.set(outputOf(pass).lastHiddenState, i * L * d);
  return {
    tensors: [...tensors, { name: 'last_hidden_state', dtype: 'F32', shape: [n, L, d], data: lastHiddenState }],
    metadata: {
      ...exportMetadata(pair, {
        ...model,
        loras: merged.map(({ lora: { name }, multiplier }) => ({ name, multiplier })),
      }),
      role,
    },
    milliseconds,
  };
}

function printTokens(
  { chunks, texts, diagnostics, dynamic }: PreparedPrompt,
  knownIds: ReadonlySet<number> | undefined,
): void {
  if (dynamic && !dynamic.isAsTyped) console.log(`ComfyUI’s page makes of it: ${dynamic.text.text}`);
  for (const { chunk, text, index } of chunks) {
    const { operator, weight } = texts[text];
    if (chunks.length > 1)
      console.log(`${operator ? `${operator} part ${text + 1}, weight ${weight}, ` : ''}chunk ${index + 1}:`);
    for (const [i, token] of chunk.tokens.entries()) {
      const { kind, id, text, weight, vector } = token;
      const known = isUnknown(token, knownIds) ? '  (not in this model’s world)' : '';
      const what = `${vector ? `${vector.name}·${vector.index + 1}` : text}${known}`;
      if (kind !== 'pad')
        console.log(`${String(i).padStart(2)}  ${String(id).padStart(5)}  ${weight.toFixed(4)}  ${what}`);
    }
  }
  for (const { severity, message } of diagnostics) console.log(`${severity}: ${message}`);
}

function printLoras(named: readonly PromptLora[], { loras }: Networks): void {
  for (const { name, multiplier } of named) {
    const lora = loraNamed(loras, ({ alias }) => alias, name);
    if (!lora) console.log(`warning: The LoRA “${name}” is not merged: give its file by --lora.`);
    else if (lora.updates.length === 0) console.log(`LoRA ${name}: ${unchangedText(lora.leftOut)}`);
    else console.log(`LoRA ${name}: merged × ${multiplier}`);
  }
}

/** The engines of this machine; `adapter`: part of the name of a GPU. */
const enginesOf = (adapter: string | undefined): Engines => ({
  findGpu: () => requestGpuDevice(nodeGpu(adapter)),
  onGpu: async (gpu, source, options) =>
    createGpuEncoder(gpu.device, source, { ...options, choice: await chooseKernels(gpu, source.config) }),
  onCpu(source, options) {
    allowRelaxedSimd();
    return cpuEngine(spawnNodeThread, nodeCores())(source, options);
  },
});

/** Encodes all prompts and prints the results. Throws UsageError. */
async function encodeJobs({ jobs, numbered }: Request, running: Running): Promise<Encoded> {
  const tensors: ConditioningTensor[] = [];
  const metadata: Record<string, string> = numbered ? { prompts: String(jobs.length) } : {};
  let milliseconds = 0;
  for (const [i, job] of jobs.entries()) {
    if (numbered) console.log(`Prompt ${i}: ${job.prompt}`);
    const encoded = await encodeJob(job, running);
    const prefix = numbered ? `${i}.` : '';
    tensors.push(...encoded.tensors.map((tensor) => ({ ...tensor, name: prefix + tensor.name })));
    Object.assign(metadata, prefixed(encoded.metadata, prefix));
    milliseconds += encoded.milliseconds;
  }
  return { tensors, metadata, milliseconds };
}

async function run(request: Request): Promise<void> {
  const { model, passTrailingBytes, adapter, out } = request;
  const source = await openModel(model, passTrailingBytes);
  const ofClip = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const tokenizer = withMaxLength(ofClip, source.config.maxPositionEmbeddings);
  if (source.doubt) console.log(`note: ${source.doubt}`);
  const networks = await openNetworks(request, source.config);
  const { random, compactTable } = source;
  const named = { name: basename(source.name), random, sha256: random ? undefined : await weightsHash(source) };
  const { encoder, engine } = await chooseEncoder(source, request.engine, enginesOf(adapter), {});
  let encoded: Encoded;
  try {
    if (engine.why) console.log(`note: ${engine.why}`);
    const knownIds = compactTable && new Set(compactTable.rowOf.keys());
    encoded = await encodeJobs(request, { tokenizer, encoder, networks, model: named, knownIds });
    const ofShapes = compactTable ? ' (a small model of coloured shapes, not Stable Diffusion)' : '';
    const meaning = random ? ' (random weights: the numbers mean nothing)' : ofShapes;
    const time = `${encoded.milliseconds.toFixed(0)} ms`;
    console.log(`${source.name}${meaning}, ${encoder.dtype}, ${engine.description}: ${time}`);
  } finally {
    // Its threads would keep Node running.
    encoder.destroy();
  }

  if (out === undefined) return;
  const { tensors, metadata } = encoded;
  await writeWholeFile(out.file, [writeConditioning(out.format, tensors, metadata)]).catch((error: Error) => {
    throw new UsageError(`"${out.file}" could not be written: ${error.message.split(',')[0]}.`);
  });
  console.log(`Wrote ${out.file}.`);
}

/** The error in words of the command line, where its options stand for what the page has to choose from. */
const messageOf = (error: unknown): string =>
  error instanceof WebGpuUnavailableError
    ? `${error.reason}; ${error.remedy}, or take --engine cpu.`
    : (error as Error).message;

/** Returns the exit code of `npm run encode`. */
export async function main(args: readonly string[]): Promise<number> {
  let file: string | undefined;
  const endWatch = endWhenInterrupted(() => (file === undefined ? 'Stopped.' : `Stopped: "${file}" was not written.`));
  try {
    const request = await readArguments(args);
    file = request?.out?.file;
    if (request) await run(request);
    else console.log(usage);
    return 0;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  } finally {
    endWatch();
  }
}
