import { parseArgs } from 'node:util';
import { clipVitL14 } from '../clip/config.ts';
import { nodeCores } from '../cpu/nodeThreads.ts';
import type { WeightDtype } from '../files/dtypes.ts';
import { type GpuDevice, requestGpuDevice } from '../gpu/device.ts';
import { matmulKernels } from '../gpu/dispatches.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { nodeGpu, softwareAdapters } from '../gpu/node.ts';
import { chooseKernels, timeAttention, timeMatmuls } from '../gpu/tuning.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { benchCpu } from './cpuBench.ts';
import { benchEdits, benchEncodes, benchProfile, cell, type NamedEncoder, printMemory } from './encoderBench.ts';
import { benchPictures } from './pictureBench.ts';

const dtypes: readonly WeightDtype[] = ['F32', 'F16', 'BF16'];
const parts = ['kernels', 'encodes', 'edits', 'profile', 'load', 'pictures'] as const;

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

async function benchAdapter(adapter: string | undefined, runs: number, what: ReadonlySet<string>): Promise<void> {
  const gpu = await requestGpuDevice(nodeGpu(adapter));
  console.log(`\n${gpu.description}`);
  if (what.has('kernels')) await benchKernels(gpu, runs);
  const start = performance.now();
  const choice = await chooseKernels(gpu, clipVitL14);
  const seconds = cell((performance.now() - start) / 1000, 0);
  console.log(`\nChosen in ${seconds} s: ${choice.matmul}, ${choice.attention}.`);
  const encoders: NamedEncoder[] = [];
  for (const dtype of dtypes) {
    const source = syntheticWeights(clipVitL14, { dtype });
    encoders.push({ name: dtype, encoder: await createGpuEncoder(gpu.device, source, { choice }) });
  }
  for (const one of encoders) printMemory(one);
  if (what.has('encodes')) await benchEncodes(encoders, runs);
  if (what.has('edits')) for (const one of encoders) await benchEdits(one, runs);
  if (what.has('profile')) {
    await benchProfile(encoders[0], runs);
    await benchProfile(encoders[0], runs, { first: 20, end: 22 });
  }
  for (const { encoder } of encoders) encoder.destroy();
}

/** Returns the exit code of `npm run bench`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      adapter: { type: 'string' },
      cpu: { type: 'boolean', default: false },
      gpu: { type: 'boolean', default: false },
      runs: { type: 'string', default: '5' },
      threads: { type: 'string', default: [...new Set([1, nodeCores()])].join() },
    },
  });
  const unknown = positionals.find((name) => !parts.some((part) => part === name));
  if (unknown !== undefined) {
    console.error(`There is no part "${unknown}" to time: name some of ${parts.join(', ')}, or none for all.`);
    return 2;
  }
  const threads = values.threads.split(',').map(Number);
  if (!threads.every((number) => Number.isInteger(number) && number > 0)) {
    console.error(`--threads must be whole numbers from 1, as in "1,2", not "${values.threads}".`);
    return 2;
  }
  const runs = Math.max(1, Number(values.runs) || 5);
  const what = new Set<string>(positionals.length > 0 ? positionals : parts);
  const onGpu = values.gpu || values.adapter !== undefined;
  console.log(
    'CLIP ViT-L/14 text encoder, 77 tokens a pass. Medians; of kernels alone the fastest run, of profiles the mean.',
  );
  if (values.cpu || !onGpu) {
    if (['encodes', 'edits', 'profile', 'load'].some((part) => what.has(part)))
      await benchCpu(threads, dtypes, runs, what);
    if (what.has('pictures')) await benchPictures(threads, runs);
  }
  if (values.cpu && !onGpu) return 0;
  const found = values.gpu || softwareAdapters.length === 0 ? [undefined] : softwareAdapters;
  for (const adapter of values.adapter ? [values.adapter] : found) await benchAdapter(adapter, runs, what);
  return 0;
}
