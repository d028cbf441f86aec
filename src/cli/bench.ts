import { parseArgs } from 'node:util';
import { clipVitL14 } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { encoderPass } from '../clip/masks.ts';
import { expectedTensors } from '../clip/weights.ts';
import type { Encoder } from '../engine/encoder.ts';
import { groupSteps, meanProfile, type Profile, type ProfiledGroup, type RowSpan, stage } from '../engine/profile.ts';
import { megabytes } from '../files/byteCount.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { type GpuDevice, requestGpuDevice } from '../gpu/device.ts';
import { matmulKernels } from '../gpu/dispatches.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { nodeGpu, softwareAdapters } from '../gpu/node.ts';
import { chooseKernels, timeAttention, timeMatmuls } from '../gpu/tuning.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';

const dtypes: readonly WeightDtype[] = ['F32', 'F16', 'BF16'];
const parts = ['kernels', 'encodes', 'edits', 'profile'] as const;
const want = { hiddenStates: [], attentions: false };

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const cell = (value: number | string | null, width: number) =>
  (typeof value === 'number' ? value.toFixed(value < 100 ? 2 : 0) : (value ?? '–')).padStart(width);
const percent = (share: number | null) => (share === null ? null : `${(100 * share).toFixed(1)} %`);

let prompts = 0;
/** Makes a prompt of 20 tokens that begins like no prompt before it, so that none of its rows is cached. */
function newPrompt(): EncoderPass {
  prompts++;
  const ids = [prompts, ...Array.from({ length: 20 }, (_, i) => 320 + i)];
  return encoderPass(
    Uint32Array.from({ length: 77 }, (_, i) => ids[i] ?? eosTokenId),
    'causal',
  );
}

/** Returns the prompt with another last word, of one token. */
const editLastWord = (pass: EncoderPass): EncoderPass => ({
  ...pass,
  inputIds: pass.inputIds.with(20, bosTokenId - 1),
});

async function benchKernels({ device }: GpuDevice, runs: number): Promise<void> {
  const shapes = { qkv_proj: [768, 2304], out_proj: [768, 768], fc1: [768, 3072], fc2: [3072, 768] };
  for (const M of [77, 2]) {
    const title = `F32 matmul, ${M} rows, GFLOP/s`;
    console.log(`\n${title.padEnd(32)}${matmulKernels.map((kernel) => cell(kernel, 16)).join('')}`);
    for (const [name, [K, N]] of Object.entries(shapes)) {
      const timed = await timeMatmuls(device, { M, K, N }, runs);
      const rates = matmulKernels.map((name) => {
        const milliseconds = timed.find(({ kernel }) => kernel === name)?.milliseconds;
        return milliseconds === undefined ? null : (2 * M * K * N) / milliseconds / 1e6;
      });
      console.log(`${name.padEnd(32)}${rates.map((rate) => cell(rate, 16)).join('')}`);
    }
  }
  console.log('\nattention of a pass, ms');
  for (const { kernel, milliseconds } of await timeAttention(device, runs))
    console.log(`${kernel.padEnd(32)}${cell(milliseconds, 16)}`);
}

/**
 * Measures the variants in turn, so that other work on the machine slows all of them alike. The first round compiles
 * and does not count.
 */
async function times(runs: number, measure: () => AsyncGenerator<[name: string, milliseconds: number]>) {
  const found = new Map<string, number[]>();
  for (let run = 0; run <= runs; run++)
    for await (const [name, milliseconds] of measure())
      if (run > 0) found.set(name, [...(found.get(name) ?? []), milliseconds]);
  return found;
}

/** Prints medians of the times, and of the ratios of each time to the first of its round. */
function printRatios(title: string, found: ReadonlyMap<string, readonly number[]>): void {
  const [base] = found.values();
  console.log(`\n${title.padEnd(42)}${cell('ms', 10)}${cell('ratio', 10)}`);
  for (const [name, values] of found) {
    const ratio = median(values.map((value, run) => value / base[run]));
    console.log(`${name.padEnd(42)}${cell(median(values), 10)}${cell(ratio, 10)}`);
  }
}

async function benchEncodes(encoders: readonly Encoder[], runs: number): Promise<void> {
  const found = await times(runs, async function* () {
    for (const encoder of encoders)
      for (const passes of [[newPrompt()], [newPrompt(), newPrompt()]]) {
        const { milliseconds } = await encoder.encode(passes, want);
        yield [`${encoder.dtype}, ${passes.length} pass${passes.length > 1 ? 'es' : ''}`, milliseconds];
      }
  });
  printRatios('whole encode', found);
}

async function benchEdits(encoder: Encoder, runs: number): Promise<void> {
  let rowsAgain = 0;
  const found = await times(runs, async function* () {
    const prompt = newPrompt();
    yield ['new prompt of 20 tokens', (await encoder.encode([prompt], want)).milliseconds];
    const edited = editLastWord(prompt);
    let toEos = Number.NaN;
    const whole = await encoder.encode([edited], want, {
      onRows: ({ milliseconds }) => {
        toEos = milliseconds;
      },
    });
    yield ['last word edited, rows up to EOS', toEos];
    yield ['last word edited, with the padding', whole.milliseconds];
    // Weights do not reach the encoder: it gets an equal pass again.
    const again = await encoder.encode([{ ...edited }], want);
    rowsAgain += again.rows;
    yield ['weights changed', again.milliseconds];
  });
  printRatios(`edits, ${encoder.dtype}`, found);
  console.log(`Rows computed after a change of weights: ${rowsAgain}.`);
}

function printMemory({ config, dtype, weightBytes: weights, activationBytes }: Encoder): void {
  const stored = [...expectedTensors(config)]
    .filter(([name]) => name.includes('.layers.'))
    .reduce((sum, [, shape]) => sum + elementCount(shape) * weightBytes[dtype as WeightDtype], 0);
  const held = weights + activationBytes;
  console.log(
    `GPU memory, ${dtype}: ${megabytes(held)} (weights ${megabytes(weights)}, rows ${megabytes(activationBytes)}), ` +
      `${(held / stored).toFixed(3)} × the ${megabytes(stored)} that the layers' weights are stored in.`,
  );
}

async function benchProfile(encoder: Encoder, runs: number, rows?: RowSpan): Promise<void> {
  const profiles: Profile[] = [];
  const prompt = newPrompt();
  for (let run = 0; run < runs; run++) profiles.push(await encoder.profile(prompt, rows));
  const { steps, noTimes } = meanProfile(profiles);
  const line = ({ name, kernel, milliseconds, share, gflopsPerSecond, bytes, gigabytesPerSecond }: ProfiledGroup) =>
    name.padEnd(24) +
    cell(kernel === name ? '' : kernel, 16) +
    cell(milliseconds, 10) +
    cell(percent(share), 9) +
    cell(gflopsPerSecond, 10) +
    cell(bytes / 1e6, 9) +
    cell(gigabytesPerSecond, 9);
  const title = rows ? `${encoder.dtype}, rows ${rows.first} to ${rows.end - 1}` : `${encoder.dtype}, 1 pass`;
  const columns = `${cell('ms', 10)}${cell('share', 9)}${cell('GFLOP/s', 10)}${cell('MB', 9)}${cell('GB/s', 9)}`;
  console.log(`\n${title.padEnd(24)}${cell('kernel', 16)}${columns}`);
  for (const group of [...groupSteps(steps, stage), ...groupSteps(steps)]) console.log(line(group));
  if (noTimes !== null) console.log(noTimes);
}

async function benchAdapter(adapter: string | undefined, runs: number, what: ReadonlySet<string>): Promise<void> {
  const gpu = await requestGpuDevice(nodeGpu(adapter));
  console.log(`\n${gpu.description}`);
  if (what.has('kernels')) await benchKernels(gpu, runs);
  const start = performance.now();
  const choice = await chooseKernels(gpu, clipVitL14);
  const seconds = cell((performance.now() - start) / 1000, 0);
  console.log(`\nChosen in ${seconds} s: ${choice.matmul}, ${choice.attention}.`);
  const encoders: Encoder[] = [];
  for (const dtype of dtypes)
    encoders.push(await createGpuEncoder(gpu.device, syntheticWeights(clipVitL14, { dtype }), { choice }));
  for (const encoder of encoders) printMemory(encoder);
  if (what.has('encodes')) await benchEncodes(encoders, runs);
  if (what.has('edits')) for (const encoder of encoders) await benchEdits(encoder, runs);
  if (what.has('profile')) {
    await benchProfile(encoders[0], runs);
    await benchProfile(encoders[0], runs, { first: 20, end: 22 });
  }
  for (const encoder of encoders) encoder.destroy();
}

/** Returns the exit code of `npm run bench`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      adapter: { type: 'string' },
      gpu: { type: 'boolean', default: false },
      runs: { type: 'string', default: '5' },
    },
  });
  const unknown = positionals.find((name) => !parts.some((part) => part === name));
  if (unknown !== undefined) {
    console.error(`There is no part "${unknown}" to time: name some of ${parts.join(', ')}, or none for all.`);
    return 2;
  }
  const found = values.gpu || softwareAdapters.length === 0 ? [undefined] : softwareAdapters;
  const adapters = values.adapter ? [values.adapter] : found;
  console.log(
    'CLIP ViT-L/14 text encoder, 77 tokens a pass. Medians; of kernels alone the fastest run, of profiles the mean.',
  );
  const what = new Set(positionals.length > 0 ? positionals : parts);
  for (const adapter of adapters) await benchAdapter(adapter, Math.max(1, Number(values.runs) || 5), what);
  return 0;
}
