import { readFileSync } from 'node:fs';
import { compileKernels } from '../cpu/kernels.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { createRandom } from '../models/seededRandom.ts';
import { createCompactTable } from '../models/tokenTable.ts';
import { type Denoiser, denoise, denoiseBackward } from '../pictures/denoiser.ts';
import { drawnLength } from '../pictures/drawnPicture.ts';
import { defaultPictureRun, pictureStep, startPictureRun } from '../pictures/pictureRun.ts';
import { createPromptReader } from '../pictures/promptReader.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { adamWStep, clipFactor, createMoments, gradientNorm, openClipAdamW } from '../training/adamW.ts';
import { readCaptions } from '../training/captionBatch.ts';
import { clipBackward, clipForward, clipUpdate, createFastClipModel } from '../training/clipModel.ts';
import { defaultRun, runModelConfig } from '../training/clipRun.ts';
import { drawParameters } from '../training/initialParameters.ts';
import { createParameters } from '../training/parameters.ts';
import type { Products } from '../training/products.ts';
import { createTextTower, textBackward, textForward, textTowerShapes } from '../training/textTower.ts';
import type { TrainingKernels } from '../training/trainingKernels.ts';
import { countFloats, createWasmKernels } from '../training/wasmKernels.ts';
import { worldTokenIds } from '../world/captionIds.ts';
import { batchDrawer, createBatch } from '../world/worldBatch.ts';
import { fileSource } from './fileSource.ts';

/** Milliseconds of processor time of this process: the machine's other work does not count. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs some functions, and returns the milliseconds of each. */
function timesOf(...runs: (() => void)[]): number[] {
  return runs.map((run) => {
    const start = processorTime();
    run();
    return processorTime() - start;
  });
}

/** Wraps the matrix products so that their time and their floating-point operations are summed. */
function timed(kernels: TrainingKernels) {
  const spent = { milliseconds: 0, operations: 0 };
  const count = (milliseconds: number, operations: number) => {
    spent.milliseconds += milliseconds;
    spent.operations += operations;
  };
  const { forward, inputGradient, weightGradient } = kernels;
  const products: Omit<Products, 'allocate'> = {
    forward(y, x, w, bias, rows, K, N) {
      count(timesOf(() => forward(y, x, w, bias, rows, K, N))[0], 2 * rows * K * N);
    },
    inputGradient(dx, dy, w, rows, K, N) {
      count(timesOf(() => inputGradient(dx, dy, w, rows, K, N))[0], 2 * rows * K * N);
    },
    weightGradient(dweight, dy, x, rows, K, N) {
      count(timesOf(() => weightGradient(dweight, dy, x, rows, K, N))[0], 2 * rows * K * N);
    },
  };
  return { kernels: { ...kernels, ...products }, spent };
}

/** Times a text tower's forward and backward pass and its update, against the matrix products in them. */
async function textSteps(B: number, L: number, steps: number): Promise<void> {
  const config = runModelConfig(defaultRun, 350).text;
  const build = (kernels: TrainingKernels) => {
    const parameters = createParameters(new Map(textTowerShapes(config)), kernels.allocate);
    const dfeatures = kernels.allocate(B * config.projectionDim);
    return { parameters, dfeatures, text: createTextTower(kernels, parameters, config, { B, L }) };
  };
  const room = { widest: Math.max(3 * config.hiddenSize, config.intermediateSize), longest: L };
  const wasm = await createWasmKernels(await compileKernels(false), countFloats(build), room);
  const { kernels, spent } = timed(wasm);
  const { parameters, dfeatures, text } = build(kernels);
  const moments = createMoments(parameters);
  const random = createRandom(1);
  for (let i = 0; i < parameters.values.length; i++) parameters.values[i] = 0.1 * random.spread();
  for (let i = 0; i < dfeatures.length; i++) dfeatures[i] = random.spread();
  const tokens = Int32Array.from({ length: B * L }, () => random.below(config.vocabSize));
  const lengths = Array<number>(B).fill(L);
  const captions = { lengths, tokens, picks: Int32Array.from({ length: B }, (_, b) => (b + 1) * L - 1) };

  console.log(`text tower, ${B} captions of ${L} positions, milliseconds`);
  for (let step = 1; step <= steps; step++) {
    Object.assign(spent, { milliseconds: 0, operations: 0 });
    const [forward, backward, update] = timesOf(
      () => textForward(text, captions),
      () => textBackward(text, dfeatures, captions),
      () => {
        adamWStep(parameters, moments, openClipAdamW, step, 1e-3, clipFactor(gradientNorm(parameters), 1));
        parameters.gradients.fill(0);
      },
    );
    const whole = forward + backward + update;
    const rate = (milliseconds: number) => `${(spent.operations / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
    const parts = `forward ${forward.toFixed(0)}, backward ${backward.toFixed(0)}, update ${update.toFixed(0)}`;
    const share = (spent.milliseconds / whole).toFixed(2);
    console.log(
      `  ${parts}: ${whole.toFixed(0)}, ${rate(whole)}; products ${rate(spent.milliseconds)}, ${share} of the time`,
    );
  }
}

/** Times whole steps on batches of the small world, which are drawn, too. */
async function wholeSteps(B: number, steps: number): Promise<void> {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const ids = worldTokenIds(tokenizer);
  const config = runModelConfig(defaultRun, ids.length);
  const model = await createFastClipModel(await compileKernels(false), config, { B, L: contextLength });
  drawParameters(model, 1);
  const moments = createMoments(model.parameters);
  const rows = createCompactTable(ids, config.text.hiddenSize);
  const [fill, batch, random] = [batchDrawer(tokenizer), createBatch(B), createRandom(1)];

  console.log(`CLIP, ${B} pairs, ${model.parameters.values.length} parameters, milliseconds`);
  for (let step = 1; step <= steps; step++) {
    const [drawing] = timesOf(() => fill(batch, random));
    const captions = readCaptions(batch.inputIds, contextLength, rows);
    const pairs = { captions, pixels: batch.pictures };
    const [training] = timesOf(() => {
      const result = clipForward(model, pairs);
      clipBackward(model, pairs, result);
      clipUpdate(model, moments, { adamW: openClipAdamW, longestGradient: 1 }, step, 1e-3);
    });
    console.log(
      `  drawing ${drawing.toFixed(0)}, step ${training.toFixed(0)}; ${captions.tokens.length} rows of captions`,
    );
  }
}

/** Floating-point operations of the products and convolutions of a forward pass. */
function denoiserOperations({ kernels }: Denoiser, forward: () => void): number {
  let operations = 0;
  const { forward: multiply, convolution } = kernels;
  Object.assign(kernels, {
    forward(...args: Parameters<typeof multiply>) {
      operations += 2 * args[4] * args[5] * args[6];
      multiply(...args);
    },
    convolution(...args: Parameters<typeof convolution>) {
      operations += 18 * args[4].B * args[4].side * args[4].side * args[5] * args[6];
      convolution(...args);
    },
  });
  forward();
  Object.assign(kernels, { forward: multiply, convolution });
  return operations;
}

/** Times the denoiser's training steps. */
async function denoiserSteps(steps: number): Promise<void> {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const compiled = await compileKernels(false);
  const checkpoint = await openCheckpoint(fileSource('public/small-clip/model.safetensors'));
  const reader = await createPromptReader(compiled, checkpoint, 8);
  const run = await startPictureRun(defaultPictureRun, tokenizer, reader, compiled);
  const { batch: B } = run.settings;
  const pictures = new Float32Array(B * drawnLength);
  const context = new Float32Array(B * run.emptyRows.length);
  const lengths = new Int32Array(B).fill(contextLength);
  const forward = () => denoise(run.model, pictures, new Float64Array(B), context, lengths);
  // The gradients of inputs and weights take as many operations as the forward pass, each.
  const operations = 3 * denoiserOperations(run.model, forward);
  console.log(
    `denoiser, ${B} pictures, ${run.averages.length} parameters, ${(operations / 3 / B / 1e6).toFixed(0)} MFLOP a picture forward, milliseconds`,
  );
  for (let step = 1; step <= steps; step++) {
    const start = processorTime();
    await pictureStep(run);
    const whole = processorTime() - start;
    const [passes] = timesOf(() => {
      forward();
      denoiseBackward(run.model, pictures);
    });
    const rate = (operations / passes / 1e6).toFixed(1);
    console.log(`  step ${whole.toFixed(0)}; forward and backward alone ${passes.toFixed(0)}, ${rate} GFLOP/s`);
  }
}

/** Prints processor time of training steps on one thread. Arguments: pairs in a batch, positions of a caption, steps. */
export async function main([pairs = '64', positions = '16', steps = '5']: string[]): Promise<void> {
  const [B, L, count] = [pairs, positions, steps].map(Number);
  await textSteps(B, L, count);
  await wholeSteps(B, count);
  await denoiserSteps(count);
}
