import { compileKernels } from '../cpu/kernels.ts';
import { createParameters } from '../training/parameters.ts';
import type { Products } from '../training/products.ts';
import {
  createTextTower,
  type TextTowerConfig,
  textBackward,
  textForward,
  textTowerShapes,
} from '../training/textTower.ts';
import { countFloats, createWasmProducts } from '../training/wasmProducts.ts';
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

/** Wraps products so that the time and the floating-point operations in them are summed. */
function timed(products: Products) {
  const spent = { milliseconds: 0, flops: 0 };
  const time =
    (run: Products['forward']): Products['forward'] =>
    (out, a, b, rows, K, N) => {
      const start = processorTime();
      run(out, a, b, rows, K, N);
      spent.milliseconds += processorTime() - start;
      spent.flops += 2 * rows * K * N;
    };
  const { allocate, forward, inputGradient, weightGradient } = products;
  return {
    spent,
    products: {
      allocate,
      forward: time(forward),
      inputGradient: time(inputGradient),
      weightGradient: time(weightGradient),
    } satisfies Products,
  };
}

/** One forward and backward pass of a text tower, in processor time on one thread. Arguments: captions in a batch, positions, steps. */
export async function main([captions = '64', positions = '16', steps = '5']: string[]): Promise<void> {
  const [B, L, count] = [captions, positions, steps].map(Number);
  const build = (products: Products) => {
    const parameters = createParameters(new Map(textTowerShapes(config)), products.allocate);
    const dfeatures = products.allocate(B * config.projectionDim);
    return { parameters, dfeatures, text: createTextTower(products, parameters, config, { B, L }) };
  };
  const widest = Math.max(config.intermediateSize, 3 * config.hiddenSize);
  const compiled = await compileKernels(false);
  const { products, spent } = timed(await createWasmProducts(compiled, countFloats(build), widest));
  const { parameters, dfeatures, text } = build(products);
  const random = createRandom(1);
  for (let i = 0; i < parameters.values.length; i++) parameters.values[i] = 0.1 * random.spread();
  for (let i = 0; i < dfeatures.length; i++) dfeatures[i] = random.spread();
  const tokens = Int32Array.from({ length: B * L }, () => random.below(config.vocabSize));
  const batch = { B, L, tokens, picked: Int32Array.from({ length: B }, (_, b) => (b + 1) * L - 1) };

  for (let step = 0; step < count; step++) {
    Object.assign(spent, { milliseconds: 0, flops: 0 });
    const start = processorTime();
    textForward(text, batch);
    const middle = processorTime();
    textBackward(text, dfeatures, batch);
    const end = processorTime();
    const rate = spent.flops / spent.milliseconds / 1e6;
    console.log(
      `forward ${(middle - start).toFixed(0)} ms, backward ${(end - middle).toFixed(0)} ms; products ${spent.milliseconds.toFixed(0)} ms, ${(spent.flops / 1e9).toFixed(2)} GFLOP, ${rate.toFixed(1)} GFLOP/s; the whole ${(spent.flops / (end - start) / 1e6).toFixed(1)} GFLOP/s`,
    );
  }
}
