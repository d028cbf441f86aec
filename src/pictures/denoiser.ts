/**
 * The denoiser: a U-Net that sees a noisy picture, its time and a prompt's rows, and says which clean picture it takes it for. Forward
 * and backward are side by side. A step down joins squares of 2 × 2 rows, a step up parts them again and adds what was there before.
 * Stable Diffusion's U-Net works on latents and predicts the noise; this one works on pixels and predicts the picture.
 *
 * Letters: B pictures, S their side in pixels, T_b rows of a picture's condition, d numbers of such a row.
 */

import { type Affine, biasBackward, linear, linearBackward } from '../training/layers.ts';
import { createParameters, type Parameter, type ParameterSet, parameter } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import { rowCount } from '../training/tower.ts';
import {
  type AttentionBlock,
  type AttentionScratch,
  attentionBlock,
  attentionBlockBackward,
  type Context,
  createAttentionBlock,
  type LooksGradient,
  probabilitiesOf,
} from './attentionBlock.ts';
import {
  affineOf,
  type ConvolutionBlock,
  convolutionBlock,
  convolutionBlockBackward,
  createConvolutionBlock,
  type TimeRows,
} from './convolutionBlock.ts';
import { blockPlaces, type DenoiserConfig, denoiserShapes, pixelWidth, sideOf, timeWaves } from './denoiserConfig.ts';
import { drawnPlanes } from './drawnPicture.ts';
import { gatherSquares, picturesToRows, rowsToPictures, scatterSquares } from './gridLayers.ts';
import { createMlpBlock, type MlpBlock, type MlpScratch, mlpBlock, mlpBlockBackward } from './mlpBlock.ts';
import type { Grid, PictureKernels } from './pictureKernels.ts';
import { timeEmbedding } from './timeEmbedding.ts';

/** Largest batch that a denoiser has room for: B pictures with T rows of condition each. */
export interface DenoiserRoom {
  readonly B: number;
  readonly T: number;
}

/** A convolution, what its rows look at after it, and an MLP, if the level has one. */
interface Block {
  readonly convolution: ConvolutionBlock;
  readonly attention: readonly AttentionBlock[];
  readonly mlp: MlpBlock | null;
}

/** A level with its part of the residual stream. R = B · side² rows. */
interface Level {
  readonly side: number;
  readonly C: number;
  readonly down: readonly Block[];
  readonly up: readonly Block[];
  /** [side², C] What tells rows where they are; null in level 0, whose rows learn it from those below. */
  readonly positions: Parameter | null;
  /** [R, C], and its gradient. */
  readonly stream: Floats;
  readonly dstream: Floats;
  /** The steps to the next level and back; null in the last one. */
  readonly toNext: Affine | null;
  readonly fromNext: Affine | null;
  /** [R / 4, 4 C] each: rows of this level in squares, on the way down and up. */
  readonly squares: Floats;
  readonly raised: Floats;
}

export interface Denoiser {
  readonly config: DenoiserConfig;
  readonly kernels: PictureKernels;
  readonly room: DenoiserRoom;
  readonly parameters: ParameterSet;
  readonly levels: readonly Level[];
  readonly time: {
    readonly layers: readonly [Affine, Affine];
    /** [B, 2 · timeWaves] */
    readonly waves: Floats;
    /** [B, time width] each: the first layer's rows, before QuickGELU and after, and the second's. */
    readonly inner: Floats;
    readonly activated: Floats;
    readonly last: Floats;
    readonly rows: Floats;
    readonly gradient: Floats;
  };
  readonly input: Affine;
  readonly outputNorm: Affine;
  readonly output: Affine;
  /** [R of level 0, 16] each: pixels of the noisy picture, and of the predicted one. */
  readonly pixels: Floats;
  readonly predicted: Floats;
  /** [R of level 0, C], the last norm's. */
  readonly normed: Floats;
  /** [Σ T_b, d] */
  readonly context: Floats;
  /** [B, 4, S, S] */
  readonly pictures: Floats;
  readonly scratch: AttentionScratch & MlpScratch;
  /** The rows of condition [B] that the last forward pass had. */
  lengths: ArrayLike<number>;
}

/** A denoiser with room for a batch. All parameters are zero. */
export function createDenoiser(kernels: PictureKernels, config: DenoiserConfig, room: DenoiserRoom): Denoiser {
  const parameters = createParameters(denoiserShapes(config), kernels.allocate);
  const { B, T } = room;
  const { timeWidth, contextWidth } = config;
  const places = blockPlaces(config);
  const affine = (name: string) => affineOf(parameters, name);
  const levels = config.levels.map(({ channels: C, self, cross, mlp: m }, l): Level => {
    const side = sideOf(config, l);
    const R = B * side * side;
    const isLast = l === config.levels.length - 1;
    const kinds = [...(self ? ['self'] : []), ...(cross ? ['cross'] : [])];
    const block = ({ name }: { readonly name: string }): Block => ({
      convolution: createConvolutionBlock(kernels, parameters, name, { B, side }, C),
      attention: kinds.map((kind) =>
        createAttentionBlock(kernels, parameters, `${name}.${kind}`, { B, side, T }, C, config.headDim),
      ),
      mlp: m > 0 ? createMlpBlock(kernels, parameters, `${name}.mlp`, { B, side }, C, m) : null,
    });
    return {
      side,
      C,
      down: places.down[l].map(block),
      up: places.up[l].map(block),
      positions: l > 0 ? parameter(parameters, `positions.${l}`) : null,
      stream: kernels.allocate(R * C),
      dstream: kernels.allocate(R * C),
      toNext: isLast ? null : affine(`down.${l}.out`),
      fromNext: isLast ? null : affine(`up.${l}.in`),
      squares: kernels.allocate(isLast ? 0 : R * C),
      raised: kernels.allocate(isLast ? 0 : R * C),
    };
  });
  const rows = levels[0].side ** 2 * B;
  const widest = Math.max(...levels.map(({ C }) => C));
  const most = Math.max(...levels.map(({ side, C }) => B * side * side * C));
  const mostInner = Math.max(...levels.map(({ side, C }, l) => B * side * side * C * config.levels[l].mlp));
  const timeRows = () => kernels.allocate(B * timeWidth);
  return {
    ...{ config, kernels, room, parameters, levels },
    time: {
      layers: [affine('time.0'), affine('time.1')],
      waves: kernels.allocate(B * 2 * timeWaves),
      ...{ inner: timeRows(), activated: timeRows(), last: timeRows(), rows: timeRows(), gradient: timeRows() },
    },
    input: affine('input'),
    outputNorm: affine('output.norm'),
    output: affine('output'),
    pixels: kernels.allocate(rows * pixelWidth),
    predicted: kernels.allocate(rows * pixelWidth),
    normed: kernels.allocate(rows * levels[0].C),
    context: kernels.allocate(B * T * contextWidth),
    pictures: kernels.allocate(B * drawnPlanes * config.pictureSize ** 2),
    scratch: {
      first: kernels.allocate(most),
      second: kernels.allocate(most),
      inner: kernels.allocate(mostInner),
      queries: kernels.allocate(3 * most),
      keyValues: kernels.allocate(B * T * 2 * widest),
      gates: kernels.allocate(most),
      scales: kernels.allocate(B * 2 * widest),
      time: timeRows(),
    },
    lengths: [],
  };
}

const timeRowsOf = ({ time, config }: Denoiser): TimeRows => ({ ...time, width: config.timeWidth });

const contextOf = ({ context, lengths, config }: Denoiser): Context => ({
  rows: context,
  lengths,
  width: config.contextWidth,
});

function timeForward({ kernels, time, config }: Denoiser, times: ArrayLike<number>): void {
  const B = times.length;
  const width = config.timeWidth;
  timeEmbedding(time.waves, times);
  linear(kernels, time.inner, time.waves, time.layers[0], B, 2 * timeWaves, width);
  kernels.quickGelu(time.activated, time.inner, B * width);
  linear(kernels, time.last, time.activated, time.layers[1], B, width, width);
  kernels.quickGelu(time.rows, time.last, B * width);
}

/** Adds to the gradients of the time's layers, from `time.gradient`, which is lost. */
function timeBackward({ kernels, time, config, scratch }: Denoiser, B: number): void {
  const width = config.timeWidth;
  kernels.quickGeluBackward(time.gradient, time.last, B * width);
  linearBackward(kernels, scratch.time, time.gradient, time.activated, time.layers[1], B, width, width);
  kernels.quickGeluBackward(scratch.time, time.inner, B * width);
  kernels.weightGradient(time.layers[0].weight.gradient, scratch.time, time.waves, B, 2 * timeWaves, width);
  biasBackward(time.layers[0].bias, scratch.time, B, width);
}

function blocksForward(model: Denoiser, blocks: readonly Block[], { stream }: Level, grid: Grid): void {
  for (const { convolution, attention, mlp } of blocks) {
    convolutionBlock(model.kernels, convolution, stream, timeRowsOf(model), grid);
    for (const block of attention) attentionBlock(model.kernels, block, stream, contextOf(model), grid);
    if (mlp) mlpBlock(model.kernels, mlp, stream, grid);
  }
}

function blocksBackward(
  model: Denoiser,
  blocks: readonly Block[],
  { dstream }: Level,
  grid: Grid,
  looksGradient: LooksGradient | undefined,
): void {
  const { kernels, scratch } = model;
  for (const { convolution, attention, mlp } of blocks.toReversed()) {
    if (mlp) mlpBlockBackward(kernels, mlp, dstream, grid, scratch);
    for (const block of attention.toReversed())
      attentionBlockBackward(kernels, block, dstream, contextOf(model), grid, scratch, looksGradient);
    convolutionBlockBackward(kernels, convolution, dstream, timeRowsOf(model), grid, scratch);
  }
}

/** Calls with each number of a level's rows, and with the number of its positions that belongs to it. */
function eachPosition(B: number, length: number, call: (row: number, place: number) => void): void {
  for (let b = 0; b < B; b++) for (let i = 0; i < length; i++) call(b * length + i, i);
}

/** Runs a level and all below it. */
function levelForward(model: Denoiser, l: number, B: number): void {
  const { kernels, levels } = model;
  const level = levels[l];
  const { stream, side, C, positions, toNext, fromNext, squares, raised } = level;
  const grid = { B, side };
  if (positions)
    eachPosition(B, positions.value.length, (row, place) => {
      stream[row] += positions.value[place];
    });
  blocksForward(model, level.down, level, grid);
  if (!toNext || !fromNext) return;
  const next = levels[l + 1];
  const below = { B, side: next.side };
  const rows = B * next.side * next.side;
  gatherSquares(squares, stream, below, C);
  linear(kernels, next.stream, squares, toNext, rows, 4 * C, next.C);
  levelForward(model, l + 1, B);
  linear(kernels, raised, next.stream, fromNext, rows, next.C, 4 * C);
  scatterSquares(stream, raised, below, C);
  blocksForward(model, level.up, level, grid);
}

/** Turns the level's `dstream` from the gradient of what the level gives into that of what it gets. */
function levelBackward(model: Denoiser, l: number, B: number, looksGradient: LooksGradient | undefined): void {
  const { kernels, levels, scratch } = model;
  const level = levels[l];
  const { dstream, side, C, positions, toNext, fromNext, squares } = level;
  const grid = { B, side };
  if (toNext && fromNext) {
    blocksBackward(model, level.up, level, grid, looksGradient);
    const next = levels[l + 1];
    const below = { B, side: next.side };
    const rows = B * next.side * next.side;
    gatherSquares(scratch.first, dstream, below, C);
    linearBackward(kernels, next.dstream, scratch.first, next.stream, fromNext, rows, next.C, 4 * C);
    levelBackward(model, l + 1, B, looksGradient);
    linearBackward(kernels, scratch.first, next.dstream, squares, toNext, rows, 4 * C, next.C);
    scatterSquares(dstream, scratch.first, below, C);
  }
  blocksBackward(model, level.down, level, grid, looksGradient);
  if (positions)
    eachPosition(B, positions.value.length, (row, place) => {
      positions.gradient[place] += dstream[row];
    });
}

/**
 * Predicts clean pictures [B, 4, S, S], −1 … 1: a view that the next call writes over. x [B, 4, S, S] are noisy pictures at `times`
 * [B], 1 for noise alone and 0 for clean: x = (1 − t) · clean + t · noise. `context` [Σ T_b, d] has the rows of the text tower after its
 * final LayerNorm, picture by picture, and `contextLengths` [B] how many each picture has. Throws RangeError for a larger batch than
 * there is room for.
 */
export function denoise(
  model: Denoiser,
  x: ArrayLike<number>,
  times: ArrayLike<number>,
  context: ArrayLike<number>,
  contextLengths: ArrayLike<number>,
): Floats {
  const { kernels, config, room, levels, outputNorm } = model;
  const B = times.length;
  const rows = rowCount(contextLengths);
  if (B > room.B || rows > room.B * room.T)
    throw new RangeError(`There are ${B} pictures of ${rows} rows; there is room for ${room.B} of ${room.T} each.`);
  model.lengths = Array.from(contextLengths);
  model.context.set(context);
  timeForward(model, times);
  const [top] = levels;
  const grid = { B, side: top.side };
  const R = B * top.side * top.side;
  picturesToRows(model.pixels, x, grid);
  const { weight, bias } = model.input;
  kernels.convolution(top.stream, model.pixels, weight.value, bias.value, grid, pixelWidth, top.C);
  levelForward(model, 0, B);
  kernels.layerNorm(model.normed, top.stream, outputNorm.weight.value, outputNorm.bias.value, R, top.C);
  const { weight: lastWeight, bias: lastBias } = model.output;
  kernels.convolution(model.predicted, model.normed, lastWeight.value, lastBias.value, grid, top.C, pixelWidth);
  rowsToPictures(model.pictures, model.predicted, grid);
  return model.pictures.subarray(0, B * drawnPlanes * config.pictureSize ** 2);
}

/**
 * Writes all gradients, from dpictures [B, 4, S, S], the gradient of what `denoise` gave last. `looksGradient` adds that of a loss of where
 * pixels look.
 */
export function denoiseBackward(model: Denoiser, dpictures: ArrayLike<number>, looksGradient?: LooksGradient): void {
  const { kernels, levels, parameters, input, output, outputNorm, predicted, scratch, time } = model;
  const B = model.lengths.length;
  const [top] = levels;
  const grid = { B, side: top.side };
  const R = B * top.side * top.side;
  parameters.gradients.fill(0);
  time.gradient.fill(0);
  picturesToRows(predicted, dpictures, grid);
  kernels.convolutionWeightGradient(output.weight.gradient, predicted, model.normed, grid, top.C, pixelWidth);
  biasBackward(output.bias, predicted, R, pixelWidth);
  kernels.convolutionInputGradient(scratch.first, predicted, output.weight.value, grid, top.C, pixelWidth);
  top.dstream.fill(0);
  const { weight, bias } = outputNorm;
  kernels.layerNormBackward(
    top.dstream,
    weight.gradient,
    bias.gradient,
    scratch.first,
    top.stream,
    weight.value,
    R,
    top.C,
  );
  levelBackward(model, 0, B, looksGradient);
  kernels.convolutionWeightGradient(input.weight.gradient, top.dstream, model.pixels, grid, pixelWidth, top.C);
  biasBackward(input.bias, top.dstream, R, top.C);
  timeBackward(model, B);
}

/** Places where a layer's pixels look. */
export interface CrossAttention {
  /** The layer's name, as its tensors have it. */
  readonly name: string;
  /** Rows of pixels lie on a square of so many by so many. */
  readonly side: number;
  readonly heads: number;
  /** T_b, rows of the picture's condition. */
  readonly T: number;
  /** [heads, side², T]: a view that the next call writes over. */
  readonly probabilities: Floats;
}

/** The probabilities of cross-attention of picture b of the last call, layer by layer in the order in which they ran. */
export function crossAttention(model: Denoiser, b = 0): CrossAttention[] {
  const { levels, lengths } = model;
  const B = lengths.length;
  const inOrder = [...levels.map(({ down }) => down), ...levels.map(({ up }) => up).toReversed()];
  const levelAt = (i: number) => levels[i < levels.length ? i : 2 * levels.length - 1 - i];
  return inOrder.flatMap((blocks, i) =>
    blocks
      .flatMap(({ attention }) => attention)
      .filter(({ keyValue }) => keyValue)
      .map((block) => {
        const { side } = levelAt(i);
        const probabilities = probabilitiesOf(block, { B, side }, lengths, b);
        return { name: block.name, side, heads: block.h, T: lengths[b], probabilities };
      }),
  );
}
