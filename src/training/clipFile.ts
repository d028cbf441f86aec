/**
 * A trained model as files that transformers opens: safetensors with CLIPModel's names, config.json and preprocessor_config.json. The token table has the
 * rows of the world's words alone, so that a model is small: `vocab_size` counts them, and the metadata of the file says which of
 * CLIP's ids each row stands for, and the sizes that config.json says (models/ownSizes.ts). A full table has all of CLIP's ids, with
 * the rows that training gave to unknown words.
 */

import { clipVitL14 } from '../clip/config.ts';
import { type CompactTable, tokenEmbeddingName } from '../clip/weights.ts';
import { fromFloat32, type WeightDtype } from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { excerpt, shapeText, type TensorFile } from '../files/tensorFile.ts';
import { ownConfigName, tokenIdsName } from '../models/ownSizes.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { type ClipModel, type ClipModelConfig, clipModelShapes, objectiveStarts } from './clipModel.ts';
import type { ParameterSet } from './parameters.ts';
import type { TowerConfig } from './tower.ts';

/** A file that is not the model which was to be read from it. The message is one sentence that names the file. */
export class ClipFileError extends Error {
  override name = 'ClipFileError';
}

export interface ClipFileOptions {
  readonly dtype: WeightDtype;
  /** All of CLIP's ids in the token table, from these rows. */
  readonly fullTable?: CompactTable;
}

const bytesOf = (values: ArrayLike<number>, dtype: WeightDtype) => fromFloat32(Float32Array.from(values), dtype);

/** All rows [49408, d] of a token table: those of the model where it has the id, the vectors of unknown words elsewhere. */
function fullTokenTable(
  table: ArrayLike<number>,
  { rowOf, vectorOf }: CompactTable,
  d: number,
): Float32Array<ArrayBuffer> {
  const values = Float32Array.from(table);
  const full = new Float32Array(clipVitL14.vocabSize * d);
  for (let id = 0; id < clipVitL14.vocabSize; id++) {
    const row = rowOf.get(id);
    full.set(row === undefined ? vectorOf(id) : values.subarray(row * d, (row + 1) * d), id * d);
  }
  return full;
}

/** The bytes of model.safetensors. `tokenIds` has CLIP's ids of the table's rows. */
export function writeClipModel(
  { parameters, config }: ClipModel,
  tokenIds: ArrayLike<number>,
  { dtype, fullTable }: ClipFileOptions,
): Uint8Array<ArrayBuffer> {
  const tensors = Array.from(parameters.places.values(), ({ name, shape, offset, length }) => {
    const values = parameters.values.subarray(offset, offset + length);
    if (!fullTable || name !== tokenEmbeddingName) return { name, dtype, shape, data: bytesOf(values, dtype) };
    const d = config.text.hiddenSize;
    return {
      name,
      dtype,
      shape: [clipVitL14.vocabSize, d],
      data: bytesOf(fullTokenTable(values, fullTable, d), dtype),
    };
  });
  // transformers opens no file that does not say "pt".
  const metadata = {
    format: 'pt',
    [ownConfigName]: JSON.stringify(clipConfigJson(config, fullTable ? undefined : tokenIds)),
    ...(!fullTable && { [tokenIdsName]: JSON.stringify(Array.from(tokenIds)) }),
  };
  return writeSafetensors(tensors, metadata);
}

const towerJson = ({ hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, ...rest }: TowerConfig) => ({
  hidden_size: hiddenSize,
  intermediate_size: intermediateSize,
  num_hidden_layers: numHiddenLayers,
  num_attention_heads: numAttentionHeads,
  hidden_act: 'quick_gelu',
  layer_norm_eps: rest.layerNormEps,
  projection_dim: rest.projectionDim,
});

/** The object of config.json. `tokenIds` as above; without them for the full table. */
export function clipConfigJson({ text, image }: ClipModelConfig, tokenIds?: ArrayLike<number>): object {
  const place = (id: number) => (tokenIds ? Array.from(tokenIds).indexOf(id) : id);
  return {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: text.projectionDim,
    logit_scale_init_value: objectiveStarts.clip.logScale,
    text_config: {
      model_type: 'clip_text_model',
      vocab_size: tokenIds ? tokenIds.length : clipVitL14.vocabSize,
      max_position_embeddings: text.maxPositionEmbeddings,
      bos_token_id: place(bosTokenId),
      eos_token_id: place(eosTokenId),
      pad_token_id: place(eosTokenId),
      ...towerJson(text),
    },
    vision_config: {
      model_type: 'clip_vision_model',
      image_size: image.imageSize,
      patch_size: image.patchSize,
      num_channels: image.numChannels,
      ...towerJson(image),
    },
    torch_dtype: 'float32',
  };
}

/** The object of preprocessor_config.json, by which transformers' CLIPImageProcessor makes of a picture what the image tower reads. */
export function preprocessorJson({ image }: ClipModelConfig): object {
  const size = image.imageSize;
  const toBounds = Array(image.numChannels).fill(0.5);
  return {
    image_processor_type: 'CLIPImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { shortest_edge: size },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: size, width: size },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: toBounds,
    image_std: toBounds,
  };
}

/**
 * Reads parameters from a file with all tensors of `config` and no other shapes. Rejects with ClipFileError, or with what the
 * reading throws.
 */
export async function readParameters(
  { source, tensors }: TensorFile,
  config: ClipModelConfig,
  { places, values }: ParameterSet,
): Promise<void> {
  const fail = (why: string): never => {
    throw new ClipFileError(`"${source.name}" ${why}.`);
  };
  for (const [name, shape] of clipModelShapes(config)) {
    const tensor = tensors.get(name);
    if (!tensor) return fail(`has no tensor ${excerpt(name)}`);
    if (tensor.shape.join() !== shape.join())
      return fail(`stores tensor ${excerpt(name)} of shape ${shapeText(tensor.shape)}; expected ${shapeText(shape)}`);
    values.set(await readFloats(name, tensor, fail), places.get(name)!.offset);
  }
}
