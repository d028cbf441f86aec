/**
 * A trained denoiser as a safetensors file. Its metadata has the text of config.json: the sizes, and which text encoder's rows it
 * learned to look at.
 */

import { fromFloat32, type WeightDtype } from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { excerpt, shapeText, type TensorFile } from '../files/tensorFile.ts';
import type { ParameterSet } from '../training/parameters.ts';
import type { Denoiser } from './denoiser.ts';
import { type DenoiserConfig, denoiserShapes, type LevelConfig } from './denoiserConfig.ts';

/** A file that is no denoiser. The message is one sentence that names the file. */
export class DenoiserFileError extends Error {
  override name = 'DenoiserFileError';
}

/** Facts that a denoiser's file says of it besides its tensors. */
export interface DenoiserFacts {
  readonly config: DenoiserConfig;
  /** Hash of the text encoder that it was trained with, made by weightsHash.ts. */
  readonly clipSha256: string;
}

/** Name of the metadata with the text of config.json. */
const configName = 'denoiser_config';

/** The object of config.json. */
export function denoiserConfigJson({ config, clipSha256 }: DenoiserFacts): object {
  return {
    model_type: 'denoiser',
    prediction_type: 'sample',
    picture_size: config.pictureSize,
    context_width: config.contextWidth,
    time_width: config.timeWidth,
    head_dim: config.headDim,
    levels: config.levels,
    clip_sha256: clipSha256,
  };
}

/** The bytes of model.safetensors. `values` has the parameters end to end. */
export function writeDenoiser(
  { places }: ParameterSet,
  values: ArrayLike<number>,
  facts: DenoiserFacts,
  dtype: WeightDtype,
): Uint8Array<ArrayBuffer> {
  const all = Float32Array.from(values);
  const tensors = Array.from(places.values(), ({ name, shape, offset, length }) => ({
    name,
    dtype,
    shape,
    data: fromFloat32(all.slice(offset, offset + length), dtype),
  }));
  return writeSafetensors(tensors, { format: 'pt', [configName]: JSON.stringify(denoiserConfigJson(facts)) });
}

const isWhole = (value: unknown, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;

function isLevel(value: unknown): value is LevelConfig {
  const { channels, down, up, self, cross, mlp } = (value ?? {}) as Record<string, unknown>;
  const isSized =
    isWhole(channels, 1024) && channels % 4 === 0 && isWhole(down, 16) && isWhole(up, 16) && isWhole(mlp, 8);
  return isSized && typeof self === 'boolean' && typeof cross === 'boolean';
}

/** Reads what a file says of its denoiser. Throws DenoiserFileError. */
export function denoiserFacts({ source, metadata }: TensorFile): DenoiserFacts {
  const json = jsonObject(metadata.get(configName)) ?? {};
  const { picture_size, context_width, time_width, head_dim, levels, clip_sha256 } = json;
  const isSized =
    isWhole(picture_size, 256) && isWhole(context_width, 4096) && isWhole(time_width, 1024) && isWhole(head_dim, 256);
  if (!isSized || !Array.isArray(levels) || levels.length === 0 || !levels.every(isLevel))
    throw new DenoiserFileError(
      `"${source.name}" does not say the sizes of a denoiser in its metadata; choose the model.safetensors that “npm run train -- pictures” wrote.`,
    );
  const config = {
    ...{ pictureSize: picture_size, contextWidth: context_width, timeWidth: time_width, headDim: head_dim },
    levels: levels as LevelConfig[],
  };
  return { config, clipSha256: String(clip_sha256) };
}

/** Fills parameters of the sizes that the file has. Rejects with DenoiserFileError, or with what reading throws. */
export async function readDenoiser(
  { source, tensors }: TensorFile,
  { config, parameters }: Pick<Denoiser, 'config' | 'parameters'>,
): Promise<void> {
  const fail = (why: string): never => {
    throw new DenoiserFileError(`"${source.name}" ${why}.`);
  };
  for (const [name, shape] of denoiserShapes(config)) {
    const tensor = tensors.get(name);
    if (!tensor) return fail(`has no tensor ${excerpt(name)}`);
    if (tensor.shape.join() !== shape.join())
      return fail(`stores tensor ${excerpt(name)} of shape ${shapeText(tensor.shape)}; expected ${shapeText(shape)}`);
    parameters.values.set(await readFloats(name, tensor, fail), parameters.places.get(name)!.offset);
  }
}
