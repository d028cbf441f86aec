import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../checkpoint/openCheckpoint.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { comfyUnits } from '../clip/comfyTokens.ts';
import { splitModes } from '../clip/compelTokens.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encode.ts';
import { type MaskMode, maskModes } from '../clip/masks.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { type TokenizerFlavour, tokenizerFlavours } from '../clip/tokenizerFlavours.ts';
import type { WeightSource } from '../clip/weights.ts';
import { requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/encoder.ts';
import { fastestMatmul } from '../gpu/matmul.ts';
import { nodeGpu } from '../gpu/node.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { clipSkip, clipSkipHiddenStates } from '../weighting/clipSkip.ts';
import { distinct } from '../weighting/method.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { tokenNormalisations } from '../weighting/normalise.ts';
import {
  defaultOptions,
  ownMethod,
  type PromptOptions,
  preparePrompt,
  promptEmbeds,
  promptPasses,
  type Role,
} from '../weighting/pipeline.ts';
import { fileSource } from './fileSource.ts';

const methodNames = Object.keys(methods) as MethodName[];
const splits = ['cut', ...splitModes] as const;

const usage = `Encodes a prompt with Stable Diffusion 1.5's text encoder on WebGPU, without a browser.

  npm run encode -- --prompt "a (red:1.3) car" [options]

  --prompt TEXT       what to encode
  --model MODEL       synthetic (random weights, the default), synthetic-tiny, or a .safetensors file
  --syntax SYNTAX     ${syntaxes.join(', ')} (default ${defaultOptions.syntax})
  --weighting METHOD  ${methodNames.join(', ')}
                      (default: as the program of the syntax does, ${Object.values(ownMethod).join(', ')})
  --normalisation N   ${tokenNormalisations.join(', ')}: of the weights, for comfy and adv-* (default none)
  --brackets AS       A1111: weights, or text as its emphasis mode "None" reads them (default weights)
  --square-factor F   A1111: 1/1.1, or 0.9 as the lecture has it, for [x] (default 1/1.1)
  --role ROLE         positive or negative: only a positive A1111 prompt is split at AND (default positive)
  --clip-skip K       as A1111 counts, from 1, which is none (default 1)
  --steps N --step N  A1111: sampling steps, and the one whose text is encoded (default 20 and 1)
  --comma-backtrack N A1111: tokens that may move to the next chunk with a comma (default 20)
  --split MODE        Compel: ${splits.join(', ')} (default ${defaultOptions.split})
  --comfy-unit UNIT   ComfyUI: ${comfyUnits.join(', ')} (default ${defaultOptions.comfyUnit})
  --mask MODE         ${maskModes.join(', ')} (default ${defaultOptions.mask})
  --tokenizer NAME    ${tokenizerFlavours.join(', ')} (default ${defaultOptions.tokenizer})
  --adapter NAME      part of a graphics adapter's name
  --out FILE          write prompt_embeds [1, 77·n, d] and last_hidden_state [n, 77, d], F32, as safetensors; the parts
                      of an AND are prompt_embeds.0 and on
`;

/** Something the person can mend; the message is one sentence. */
class UsageError extends Error {}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}, not "${value}".`);
  return found;
}

function whole(option: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (Number.isInteger(number) && value.trim() !== '' && least <= number && number <= most) return number;
  throw new UsageError(`--${option} is a whole number from ${least} to ${most}, not "${value}".`);
}

interface Request {
  readonly prompt: string;
  readonly role: Role;
  readonly model: string;
  readonly options: PromptOptions;
  readonly adapter?: string;
  readonly out?: string;
}

/** Throws UsageError; undefined where help was asked for. */
function readArguments(args: readonly string[]): Request | undefined {
  const text = { type: 'string' } as const;
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        prompt: text,
        model: { ...text, default: 'synthetic' },
        syntax: { ...text, default: defaultOptions.syntax },
        weighting: text,
        normalisation: { ...text, default: defaultOptions.normalisation },
        'square-factor': { ...text, default: defaultOptions.squareFactor },
        brackets: { ...text, default: defaultOptions.brackets },
        role: { ...text, default: 'positive' },
        'clip-skip': { ...text, default: '1' },
        steps: { ...text, default: String(defaultOptions.steps) },
        step: { ...text, default: '1' },
        'comma-backtrack': { ...text, default: String(defaultOptions.commaPaddingBacktrack) },
        split: { ...text, default: defaultOptions.split },
        'comfy-unit': { ...text, default: defaultOptions.comfyUnit },
        mask: { ...text, default: defaultOptions.mask },
        tokenizer: { ...text, default: defaultOptions.tokenizer },
        adapter: text,
        out: text,
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0].replace(/\.$/, '')}; see --help.`);
  }
  if (values.help) return undefined;
  const { prompt, model, adapter, out } = values as Record<string, string | undefined>;
  if (prompt === undefined) throw new UsageError('There is no --prompt; see --help.');
  const syntax = oneOf<Syntax>('syntax', String(values.syntax), syntaxes);
  const steps = whole('steps', String(values.steps), 1, 150);
  return {
    prompt,
    role: oneOf<Role>('role', String(values.role), ['positive', 'negative']),
    model: model!,
    adapter,
    out,
    options: {
      syntax,
      weighting: oneOf<MethodName>('weighting', String(values.weighting ?? ownMethod[syntax]), methodNames),
      mask: oneOf<MaskMode>('mask', String(values.mask), maskModes),
      tokenizer: oneOf<TokenizerFlavour>('tokenizer', String(values.tokenizer), tokenizerFlavours),
      normalisation: oneOf('normalisation', String(values.normalisation), tokenNormalisations),
      squareFactor: oneOf('square-factor', String(values['square-factor']), ['1/1.1', '0.9']),
      brackets: oneOf('brackets', String(values.brackets), ['weights', 'text']),
      clipSkip: whole('clip-skip', String(values['clip-skip']), 1, clipVitL14.numHiddenLayers + 1),
      steps,
      step: whole('step', String(values.step), 1, steps),
      commaPaddingBacktrack: whole('comma-backtrack', String(values['comma-backtrack']), 0, 74),
      split: oneOf('split', String(values.split), splits),
      comfyUnit: oneOf('comfy-unit', String(values['comfy-unit']), comfyUnits),
    },
  };
}

async function openModel(model: string): Promise<WeightSource> {
  if (model === 'synthetic') return syntheticWeights(clipVitL14);
  if (model === 'synthetic-tiny') return syntheticWeights(clipTiny);
  return openCheckpoint(fileSource(model));
}

async function run({ prompt, role, options, model, adapter, out }: Request): Promise<void> {
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const prepared = preparePrompt(prompt, options, tokenizer, role);
  const source = await openModel(model);
  const { hiddenSize: d, maxPositionEmbeddings: L, numHiddenLayers: N } = source.config;
  if (options.clipSkip > N + 1) throw new UsageError(`--clip-skip is at most ${N + 1} with this model.`);
  const { device, description, support } = await requestGpuDevice(nodeGpu(adapter));
  const encoder = await createGpuEncoder(device, source, {
    matmul: { kernel: await fastestMatmul(device, support, source.config), support },
  });
  const passes = distinct([...prepared.chunks.map(({ pass }) => pass), ...promptPasses(prepared, options.weighting)]);
  const hiddenStates = clipSkipHiddenStates(options.clipSkip, source.config);
  const { outputs, milliseconds } = await encoder.encode(passes, { hiddenStates, attentions: false });
  const byKey = new Map(passes.map((pass, i) => [passKey(pass), outputs[i]]));
  const outputOf = (pass: EncoderPass) => byKey.get(passKey(pass))!;
  const zOf = (pass: EncoderPass) => clipSkip(outputOf(pass), options.clipSkip, source.config, encoder.finalLayerNorm);
  const embeds = promptEmbeds(prepared, zOf, options.weighting);
  if (!embeds.every((rows) => rows.every(Number.isFinite)))
    throw new UsageError(
      `By these weights "${options.weighting}" divides by zero or multiplies by infinity; change them, or use --weighting scale.`,
    );

  for (const { chunk, text, index } of prepared.chunks) {
    const { operator, weight } = prepared.texts[text];
    if (prepared.chunks.length > 1)
      console.log(`${operator ? `${operator} part ${text + 1}, weight ${weight}, ` : ''}chunk ${index + 1}:`);
    for (const [i, { kind, id, text, weight }] of chunk.tokens.entries())
      if (kind !== 'pad')
        console.log(`${String(i).padStart(2)}  ${String(id).padStart(5)}  ${weight.toFixed(4)}  ${text}`);
  }
  for (const { severity, message } of prepared.diagnostics) console.log(`${severity}: ${message}`);
  const random = source.random ? ' (random weights: the numbers mean nothing)' : '';
  console.log(`${source.name}${random}, ${encoder.dtype}, ${description}: ${milliseconds.toFixed(0)} ms`);

  if (out === undefined) return;
  const rowsOf = (of: 'inputIds' | 'perTokenWeights') =>
    JSON.stringify(prepared.chunks.map(({ chunk }) => Array.from(chunk[of])));
  const metadata = {
    prompt,
    role,
    token_ids: rowsOf('inputIds'),
    weights: rowsOf('perTokenWeights'),
    guidance_weights: JSON.stringify(prepared.conditionings.map(({ weight }) => weight)),
    model: basename(source.name),
    random_weights: String(source.random),
    ...Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)])),
  };
  const lastHiddenState = new Float32Array(prepared.chunks.length * L * d);
  for (const [i, { pass }] of prepared.chunks.entries()) lastHiddenState.set(outputOf(pass).lastHiddenState, i * L * d);
  const tensors = [
    ...embeds.map((data, i) => ({
      name: embeds.length > 1 ? `prompt_embeds.${i}` : 'prompt_embeds',
      dtype: 'F32' as const,
      shape: [1, data.length / d, d],
      data,
    })),
    { name: 'last_hidden_state', dtype: 'F32' as const, shape: [prepared.chunks.length, L, d], data: lastHiddenState },
  ];
  await writeFile(out, writeSafetensors(tensors, metadata)).catch((error: Error) => {
    throw new UsageError(`"${out}" could not be written: ${error.message.split(',')[0]}.`);
  });
  console.log(`Wrote ${out}.`);
}

/** Exit code of `npm run encode`. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const request = readArguments(args);
    if (request) await run(request);
    else console.log(usage);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}
