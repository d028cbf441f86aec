import { compileKernels } from '../cpu/kernels.ts';
import { adamWStep, clipFactor, createMoments, gradientNorm, openClipAdamW } from '../training/adamW.ts';
import { createParameters } from '../training/parameters.ts';
import {
  createTextTower,
  type TextTowerConfig,
  textBackward,
  textForward,
  textTowerShapes,
} from '../training/textTower.ts';
import type { TrainingKernels } from '../training/trainingKernels.ts';
import { countFloats, createWasmKernels } from '../training/wasmKernels.ts';
import { createRandom } from '../world/seededRandom.ts';

const config: TextTowerConfig = {
  vocabSize: 350,
  maxPositionEmbeddings: 77,
  hiddenSize: 128,
  numAttentionHeads: 4,
  headDim: 32,
  intermediateSize: 512,
  numHiddenLayers: 6,
  layerNormEps: 1e-5,
  projectionDim: 128,
};

/** Milliseconds of processor time of this process: the machine's other work does not count. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

type Kernel = Exclude<keyof TrainingKernels, 'allocate'>;

/** Wraps kernels so that the processor time of each is summed, and the floating-point operations of the products. */
function timed(kernels: TrainingKernels) {
  const milliseconds: Partial<Record<Kernel, number>> = {};
  const operations = { count: 0 };
  const wrapped = { ...kernels };
  for (const name of Object.keys(kernels) as (keyof TrainingKernels)[]) {
    if (name === 'allocate') continue;
    const run = kernels[name] as (...values: unknown[]) => void;
    Object.assign(wrapped, {
      [name](...values: unknown[]) {
        const start = processorTime();
        run(...values);
        milliseconds[name] = (milliseconds[name] ?? 0) + processorTime() - start;
        const [rows, K, N] = values.slice(-3) as number[];
        if (products.includes(name)) operations.count += 2 * rows * K * N;
      },
    });
  }
  return { kernels: wrapped, milliseconds, operations };
}

const products: readonly string[] = ['forward', 'inputGradient', 'weightGradient'] satisfies Kernel[];

/** One forward and backward pass of a text tower, in processor time on one thread. Arguments: captions in a batch, positions, steps. */
export async function main([captions = '64', positions = '16', steps = '5']: string[]): Promise<void> {
  const [B, L, count] = [captions, positions, steps].map(Number);
  const build = (kernels: TrainingKernels) => {
    const parameters = createParameters(new Map(textTowerShapes(config)), kernels.allocate);
    const dfeatures = kernels.allocate(B * config.projectionDim);
    return { parameters, dfeatures, text: createTextTower(kernels, parameters, config, { B, L }) };
  };
  const room = { widest: Math.max(config.intermediateSize, 3 * config.hiddenSize), longest: L };
  const compiled = await compileKernels(false);
  const wasm = await createWasmKernels(compiled, countFloats(build), room);
  const { kernels, milliseconds, operations } = timed(wasm);
  const { parameters, dfeatures, text } = build(kernels);
  const moments = createMoments(parameters);
  const random = createRandom(1);
  for (let i = 0; i < parameters.values.length; i++) parameters.values[i] = 0.1 * random.spread();
  for (let i = 0; i < dfeatures.length; i++) dfeatures[i] = random.spread();
  const tokens = Int32Array.from({ length: B * L }, () => random.below(config.vocabSize));
  const batch = { B, L, tokens, picks: Int32Array.from({ length: B }, (_, b) => (b + 1) * L - 1) };

  for (let step = 1; step <= count; step++) {
    for (const name of Object.keys(milliseconds)) milliseconds[name as Kernel] = 0;
    operations.count = 0;
    const times = [processorTime()];
    textForward(text, batch);
    times.push(processorTime());
    textBackward(text, dfeatures, batch);
    times.push(processorTime());
    adamWStep(parameters, moments, openClipAdamW, step, 1e-3, clipFactor(gradientNorm(parameters), 1));
    parameters.gradients.fill(0);
    times.push(processorTime());
    const [forward, backward, update] = times.slice(1).map((time, i) => time - times[i]);
    const inProducts = products.reduce((sum, name) => sum + (milliseconds[name as Kernel] ?? 0), 0);
    const whole = forward + backward + update;
    const rate = (time: number) => `${(operations.count / time / 1e6).toFixed(1)} GFLOP/s`;
    console.log(
      `forward ${forward.toFixed(0)}, backward ${backward.toFixed(0)}, update ${update.toFixed(0)}: ${whole.toFixed(0)} ms, ${rate(whole)}; products alone ${inProducts.toFixed(0)} ms, ${rate(inProducts)}`,
    );
    if (step === count)
      for (const [name, time] of Object.entries(milliseconds)) console.log(`  ${name.padEnd(24)}${time.toFixed(0)} ms`);
  }
}
