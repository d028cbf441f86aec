import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../checkpoint/openCheckpoint.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { type MaskMode, maskModes } from '../clip/masks.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { type TokenizerFlavour, tokenizerFlavours } from '../clip/tokenizerFlavours.ts';
import type { WeightSource } from '../clip/weights.ts';
import { requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/encoder.ts';
import { fastestMatmul } from '../gpu/matmul.ts';
import { nodeGpu } from '../gpu/node.ts';
import {
  defaultOptions,
  type PromptOptions,
  preparePrompt,
  promptEmbeds,
  type WeightingMethod,
  weightingMethods,
} from '../weighting/pipeline.ts';
import { fileSource } from './fileSource.ts';

const usage = `Encodes a prompt with Stable Diffusion 1.5's text encoder on WebGPU, without a browser.

  npm run encode -- --prompt "a (red:1.3) car" [options]

  --prompt TEXT       what to encode
  --model MODEL       synthetic (random weights, the default), synthetic-tiny, or a .safetensors file
  --syntax SYNTAX     a1111
  --weighting METHOD  ${weightingMethods.join(', ')} (default ${defaultOptions.weighting})
  --mask MODE         ${maskModes.join(', ')} (default ${defaultOptions.mask})
  --tokenizer NAME    ${tokenizerFlavours.join(', ')} (default ${defaultOptions.tokenizer})
  --adapter NAME      part of a graphics adapter's name
  --out FILE          write prompt_embeds and last_hidden_state, [1, 77, d] F32, as safetensors
`;

/** Something the person can mend; the message is one sentence. */
class UsageError extends Error {}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}, not "${value}".`);
  return found;
}

interface Request {
  readonly prompt: string;
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
        weighting: { ...text, default: defaultOptions.weighting },
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
  return {
    prompt,
    model: model!,
    adapter,
    out,
    options: {
      syntax: oneOf('syntax', String(values.syntax), ['a1111']),
      weighting: oneOf<WeightingMethod>('weighting', String(values.weighting), weightingMethods),
      mask: oneOf<MaskMode>('mask', String(values.mask), maskModes),
      tokenizer: oneOf<TokenizerFlavour>('tokenizer', String(values.tokenizer), tokenizerFlavours),
    },
  };
}

async function openModel(model: string): Promise<WeightSource> {
  if (model === 'synthetic') return syntheticWeights(clipVitL14);
  if (model === 'synthetic-tiny') return syntheticWeights(clipTiny);
  return openCheckpoint(fileSource(model));
}

async function run(request: Request): Promise<void> {
  const { prompt, options, out } = request;
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  const prepared = preparePrompt(prompt, options, tokenizer);
  const source = await openModel(request.model);
  const { device, description, support } = await requestGpuDevice(nodeGpu(request.adapter));
  const encoder = await createGpuEncoder(device, source, {
    matmul: { kernel: await fastestMatmul(device, support, source.config), support },
  });
  const { outputs, milliseconds } = await encoder.encode(prepared.passes, { hiddenStates: [], attentions: false });
  const { lastHiddenState } = outputs[0];
  const { hiddenSize: d, maxPositionEmbeddings: L } = source.config;
  const embeds = promptEmbeds(prepared, outputs, options.weighting, d);
  if (!embeds.every(Number.isFinite))
    throw new UsageError(
      'The weights bring the mean of the conditioning to zero, so "original" would divide by it; use --weighting scale.',
    );

  for (const [i, { kind, id, text, weight }] of prepared.chunk.tokens.entries())
    if (kind !== 'pad')
      console.log(`${String(i).padStart(2)}  ${String(id).padStart(5)}  ${weight.toFixed(4)}  ${text}`);
  for (const { severity, message } of prepared.diagnostics) console.log(`${severity}: ${message}`);
  const random = source.random ? ' (random weights: the numbers mean nothing)' : '';
  console.log(`${source.name}${random}, ${encoder.dtype}, ${description}: ${milliseconds.toFixed(0)} ms`);

  if (out === undefined) return;
  const shape = [1, L, d];
  const metadata = {
    prompt,
    token_ids: JSON.stringify(Array.from(prepared.chunk.inputIds)),
    weights: JSON.stringify(Array.from(prepared.chunk.perTokenWeights)),
    model: basename(source.name),
    random_weights: String(source.random),
    ...options,
  };
  const tensors = [
    { name: 'prompt_embeds', dtype: 'F32', shape, data: embeds },
    { name: 'last_hidden_state', dtype: 'F32', shape, data: lastHiddenState },
  ] as const;
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
