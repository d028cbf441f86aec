/**
 * CLIP as it is trained: both towers and the temperature. A step is `forward`, `backward`, `update`, so that a page can stop between
 * them. Letters are those of tower.ts.
 */

import type { CompiledKernels } from '../cpu/kernels.ts';
import { type AdamWMoments, type AdamWSettings, adamWStep, clipFactor, gradientNorm } from './adamW.ts';
import {
  createImageTower,
  type ImageTower,
  type ImageTowerConfig,
  imageBackward,
  imageForward,
  imageTowerShapes,
  patchCount,
  patchWidth,
} from './imageTower.ts';
import { type Objective, type ObjectiveName, objective } from './objective.ts';
import { createParameters, type Parameter, type ParameterSet, parameter } from './parameters.ts';
import type { Floats } from './products.ts';
import {
  type Captions,
  createTextTower,
  type TextTower,
  type TextTowerConfig,
  textBackward,
  textForward,
  textTowerShapes,
} from './textTower.ts';
import type { TrainingKernels } from './trainingKernels.ts';
import { countFloats, createWasmKernels } from './wasmKernels.ts';

/** −ln τ and SigLIP's bias, by open_clip's names. */
export const logScaleName = 'logit_scale';
export const logitBiasName = 'logit_bias';

/** The values that open_clip starts from: τ = 0.07 for CLIP; 1 / τ = 10 and a bias of −10 for SigLIP. */
export const objectiveStarts: Record<ObjectiveName, { readonly logScale: number; readonly logitBias: number }> = {
  clip: { logScale: 2.659260036932778, logitBias: 0 },
  siglip: { logScale: Math.LN10, logitBias: -10 },
};

/** Bounds of −ln τ after a step: τ is 0.01 at least and 1 at most. */
const logScaleBounds = { least: 0, most: 4.605170185988092 };

export interface ClipModelConfig {
  readonly objective: ObjectiveName;
  readonly text: TextTowerConfig;
  readonly image: ImageTowerConfig;
}

/** B captions and their pictures, pair by pair. */
export interface PairBatch {
  readonly captions: Captions;
  /** [B, channels, y, x] */
  readonly pixels: ArrayLike<number>;
}

export interface ClipModel {
  readonly config: ClipModelConfig;
  readonly parameters: ParameterSet;
  readonly text: TextTower;
  readonly image: ImageTower;
  /** [1] */
  readonly logScale: Parameter;
  /** [1]; absent for CLIP's objective. */
  readonly logitBias?: Parameter;
  /** [B, E], gradients of the features. */
  readonly dtext: Floats;
  readonly dimage: Floats;
}

/** Shapes of all tensors, by transformers' names. */
export function clipModelShapes({ objective, text, image }: ClipModelConfig): Map<string, readonly number[]> {
  const scalars: [string, readonly number[]][] = [[logScaleName, []]];
  if (objective === 'siglip') scalars.push([logitBiasName, []]);
  return new Map([...textTowerShapes(text), ...imageTowerShapes(image), ...scalars]);
}

/** Largest batch that a model has room for: B pairs, whose captions are cut to L positions at most. */
export interface PairRoom {
  readonly B: number;
  readonly L: number;
}

/** A model with room for a batch. All parameters are zero but the temperature and the bias, which stand where open_clip starts. */
export function createClipModel(kernels: TrainingKernels, config: ClipModelConfig, { B, L }: PairRoom): ClipModel {
  const parameters = createParameters(clipModelShapes(config), kernels.allocate);
  const logScale = parameter(parameters, logScaleName);
  const logitBias = config.objective === 'siglip' ? parameter(parameters, logitBiasName) : undefined;
  const start = objectiveStarts[config.objective];
  logScale.value[0] = start.logScale;
  logitBias?.value.fill(start.logitBias);
  return {
    config,
    parameters,
    text: createTextTower(kernels, parameters, config.text, { B, L }),
    image: createImageTower(kernels, parameters, config.image, B),
    logScale,
    logitBias,
    dtext: kernels.allocate(B * config.text.projectionDim),
    dimage: kernels.allocate(B * config.image.projectionDim),
  };
}

/** Makes a model in float32 on WebAssembly. `compiled` is to be plain. Rejects with CpuError where there is not so much memory. */
export async function createFastClipModel(
  compiled: CompiledKernels,
  config: ClipModelConfig,
  room: PairRoom,
): Promise<ClipModel> {
  const { text, image } = config;
  const widths = [text, image].flatMap((tower) => [3 * tower.hiddenSize, tower.intermediateSize, tower.projectionDim]);
  const build = (kernels: TrainingKernels) => createClipModel(kernels, config, room);
  const kernels = await createWasmKernels(compiled, countFloats(build), {
    widest: Math.max(...widths, patchWidth(image)),
    longest: Math.max(room.L, 1 + patchCount(image)),
  });
  return build(kernels);
}

/** Runs both towers and the objective. */
export function clipForward(model: ClipModel, { captions, pixels }: PairBatch): Objective {
  const texts = textForward(model.text, captions);
  const images = imageForward(model.image, pixels, captions.lengths.length);
  const { objective: name, text } = model.config;
  return objective(name, texts, images, text.projectionDim, model.logScale.value[0], model.logitBias?.value[0]);
}

/** Writes all gradients, of the batch that went forward last. */
export function clipBackward(
  model: ClipModel,
  { captions }: PairBatch,
  { dtext, dimage, dlogScale, dbias }: Objective,
): void {
  model.parameters.gradients.fill(0);
  model.dtext.set(dtext);
  model.dimage.set(dimage);
  textBackward(model.text, model.dtext, captions);
  imageBackward(model.image, model.dimage, captions.lengths.length);
  model.logScale.gradient[0] = dlogScale;
  if (model.logitBias) model.logitBias.gradient[0] = dbias;
}

export interface UpdateSettings {
  readonly adamW: AdamWSettings;
  /** Longest gradient, longer ones are clipped to it. */
  readonly longestGradient: number;
  /** Names the tensors that do not learn. Their gradients are set to zero. */
  readonly isFrozen?: (name: string) => boolean;
}

/** Makes step number `step`, which counts from 1, and clamps the temperature. Returns the gradient's norm before clipping. */
export function clipUpdate(
  { parameters, logScale }: ClipModel,
  moments: AdamWMoments,
  { adamW, longestGradient, isFrozen = () => false }: UpdateSettings,
  step: number,
  learningRate: number,
): number {
  for (const { name, offset, length } of parameters.places.values())
    if (isFrozen(name)) parameters.gradients.fill(0, offset, offset + length);
  const norm = gradientNorm(parameters);
  adamWStep(parameters, moments, adamW, step, learningRate, clipFactor(norm, longestGradient), isFrozen);
  const { least, most } = logScaleBounds;
  if (!isFrozen(logScaleName)) logScale.value[0] = Math.min(most, Math.max(least, logScale.value[0]));
  return norm;
}
