import { parseArgs } from 'node:util';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { clipVitL14 } from '../clip/config.ts';
import { encoderPass } from '../clip/masks.ts';
import type { WeightDtype } from '../clip/weights.ts';
import { requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/encoder.ts';
import { fastestMatmul, matmulKernels, timeMatmuls } from '../gpu/matmul.ts';
import { nodeGpu, softwareAdapters } from '../gpu/node.ts';
import type { Step } from '../gpu/schedule.ts';

const dtypes: readonly WeightDtype[] = ['F32', 'F16', 'BF16'];
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const cell = (value: number | string, width: number) =>
  (typeof value === 'number' ? value.toFixed(value < 100 ? 2 : 0) : value).padStart(width);

/** Steps that are the same in every layer, under one name: `mlp.fc1`. */
const stage = ({ label }: Step) => label.replace(/^layers\.\d+\./, '');

async function benchAdapter(adapter: string | undefined, runs: number): Promise<void> {
  const { device, description, support } = await requestGpuDevice(nodeGpu(adapter));
  console.log(`\n${description}`);
  const shapes = { qkv_proj: [768, 2304], out_proj: [768, 768], fc1: [768, 3072], fc2: [3072, 768] };
  console.log(`\n${'F32 matmul, GFLOP/s'.padEnd(26)}${matmulKernels.map((kernel) => cell(kernel, 18)).join('')}`);
  for (const [name, [K, N]] of Object.entries(shapes)) {
    const times = await timeMatmuls(device, support, { M: 77, K, N }, { runs });
    const rates = matmulKernels.map((kernel) =>
      times.has(kernel) ? (2 * 77 * K * N) / times.get(kernel)! / 1e6 : '–',
    );
    console.log(`${name.padEnd(26)}${rates.map((rate) => cell(rate, 18)).join('')}`);
  }
  const matmul = { kernel: await fastestMatmul(device, support, clipVitL14), support };
  console.log(`Chosen: ${matmul.kernel}\n`);
  const passes = [49406, 320].map((id) => encoderPass(new Uint32Array(77).fill(49407).fill(id, 0, 1), 'causal'));
  const want = { hiddenStates: [], attentions: false };
  const loading = await Promise.all(
    dtypes.map((dtype) => createGpuEncoder(device, syntheticWeights(clipVitL14, { dtype }), { matmul })),
  );

  // Interleaved, so that what else the machine does falls on all alike.
  const times = new Map<string, number[]>();
  for (let run = 0; run <= runs; run++)
    for (const [i, dtype] of dtypes.entries())
      for (const batch of [1, 2]) {
        const { milliseconds } = await loading[i].encode(passes.slice(0, batch), want);
        const key = `${dtype}, ${batch} pass${batch > 1 ? 'es' : ''}`;
        if (run === 0) console.log(`${key}: ${milliseconds.toFixed(0)} ms the first time`);
        else times.set(key, [...(times.get(key) ?? []), milliseconds]);
      }
  const base = median(times.get('F32, 1 pass')!);
  console.log(`\n${'whole encode'.padEnd(26)}${cell('ms', 10)}${cell('ratio', 10)}`);
  for (const [key, values] of times)
    console.log(`${key.padEnd(26)}${cell(median(values), 10)}${cell(median(values) / base, 10)}`);

  if (!device.features.has('timestamp-query')) return console.log('No timestamps here, so no time per kernel.');
  const profiles: { step: Step; nanoseconds: number }[][] = [];
  for (let run = 0; run < runs; run++) profiles.push(await loading[0].profile(1));
  const stages = new Map<string, { kernel: string; nanoseconds: number; flops: number }>();
  for (const [i, { step }] of profiles[0].entries()) {
    const sum = stages.get(stage(step)) ?? { kernel: step.kernel, nanoseconds: 0, flops: 0 };
    sum.nanoseconds += median(profiles.map((profile) => profile[i].nanoseconds));
    sum.flops += step.flops;
    stages.set(stage(step), sum);
  }
  const total = [...stages.values()].reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
  console.log(
    `\n${'F32, 1 pass'.padEnd(26)}${cell('kernel', 18)}${cell('ms', 10)}${cell('share', 8)}${cell('GFLOP/s', 10)}`,
  );
  for (const [name, { kernel, nanoseconds, flops }] of stages)
    console.log(
      `${name.padEnd(26)}${cell(kernel, 18)}${cell(nanoseconds / 1e6, 10)}${cell(`${((100 * nanoseconds) / total).toFixed(1)} %`, 8)}${cell(flops / nanoseconds, 10)}`,
    );
  for (const encoder of loading) encoder.destroy();
}

/** Exit code of `npm run bench`. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { adapter: { type: 'string' }, runs: { type: 'string', default: '5' } },
  });
  const adapters = values.adapter ? [values.adapter] : softwareAdapters.length > 0 ? softwareAdapters : [undefined];
  console.log('CLIP ViT-L/14 text encoder, 77 tokens a pass; medians.');
  for (const adapter of adapters) await benchAdapter(adapter, Math.max(1, Number(values.runs) || 5));
  return 0;
}
