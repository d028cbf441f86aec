import type { WeightDtype } from '../files/dtypes.ts';
import type { ClipTextConfig } from './config.ts';

/** A token table [V, d] that has rows for some of CLIP's ids alone. */
export interface CompactTable {
  /** Rows of the table by id, in their order. */
  readonly rowOf: ReadonlyMap<number, number>;
  /** The embedding [d] of an id without a row: always the same. */
  vectorOf(id: number): Float32Array;
}

/** The linear map, without bias, through which the objective compares the row of the EOS, and the temperature that it learned. */
export interface TextProjection {
  /** Numbers of a projected row. */
  readonly E: number;
  /** [E, d] */
  readonly matrix: Float32Array<ArrayBuffer>;
  /** −ln τ; null where the file does not have it. */
  readonly logScale: number | null;
}

/**
 * Gives an encoder's tensors, one at a time, so that a 4 GB checkpoint never has to be in memory whole.
 * Tensors go by their Hugging Face names (`text_model.encoder.layers.0.self_attn.q_proj.weight`) whatever the file calls them.
 */
export interface WeightSource {
  /** The name that the page shows: a file name, "synthetic". */
  readonly name: string;
  /** True where the weights are made up and mean nothing. */
  readonly random: boolean;
  /** A doubt about the weights that the file cannot dispel, in a sentence. */
  readonly doubt?: string;
  readonly config: ClipTextConfig;
  /** Says which ids the rows of the token table are of; absent where it has a row for every id. */
  readonly compactTable?: CompactTable;
  /** Type and shape of a tensor; Linear weights are [out, in]. Throws on a name this source lacks. */
  tensor(name: string): { readonly dtype: WeightDtype; readonly shape: readonly number[] };
  /** Reads the projection that stands beside the encoder; absent where there is none. */
  projection?(signal?: AbortSignal): Promise<TextProjection>;
  /** The tensor's elements, row-major, little-endian, as stored; the caller owns the bytes. */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Takes back bytes that nobody needs any more: a later read may write over them, which spares it new memory. */
  recycle?(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The parts of one encoder layer, as they are named below `text_model.encoder.layers.{i}.`. */
export const layerTensorNames = [
  'layer_norm1.weight',
  'layer_norm1.bias',
  'self_attn.q_proj.weight',
  'self_attn.q_proj.bias',
  'self_attn.k_proj.weight',
  'self_attn.k_proj.bias',
  'self_attn.v_proj.weight',
  'self_attn.v_proj.bias',
  'self_attn.out_proj.weight',
  'self_attn.out_proj.bias',
  'layer_norm2.weight',
  'layer_norm2.bias',
  'mlp.fc1.weight',
  'mlp.fc1.bias',
  'mlp.fc2.weight',
  'mlp.fc2.bias',
] as const;

export type LayerTensorName = (typeof layerTensorNames)[number];

/** A part that has a weight and a bias: `mlp.fc1`. */
export type LayerPart = {
  [Name in LayerTensorName]: Name extends `${infer Part}.weight` ? Part : never;
}[LayerTensorName];

export const tokenEmbeddingName = 'text_model.embeddings.token_embedding.weight';
export const positionEmbeddingName = 'text_model.embeddings.position_embedding.weight';
export const finalLayerNormWeightName = 'text_model.final_layer_norm.weight';
export const finalLayerNormBiasName = 'text_model.final_layer_norm.bias';

/** `text_model.encoder.layers.{layer}.{part}` */
export function layerTensor(layer: number, part: LayerTensorName): string {
  return `text_model.encoder.layers.${layer}.${part}`;
}

/** Every tensor the encoder needs, with its shape, in the order it is used. */
export function expectedTensors(config: ClipTextConfig): Map<string, readonly number[]> {
  const { vocabSize: V, maxPositionEmbeddings: L, hiddenSize: d, intermediateSize: m } = config;
  const shapes: Record<LayerTensorName, readonly number[]> = {
    'layer_norm1.weight': [d],
    'layer_norm1.bias': [d],
    'self_attn.q_proj.weight': [d, d],
    'self_attn.q_proj.bias': [d],
    'self_attn.k_proj.weight': [d, d],
    'self_attn.k_proj.bias': [d],
    'self_attn.v_proj.weight': [d, d],
    'self_attn.v_proj.bias': [d],
    'self_attn.out_proj.weight': [d, d],
    'self_attn.out_proj.bias': [d],
    'layer_norm2.weight': [d],
    'layer_norm2.bias': [d],
    'mlp.fc1.weight': [m, d],
    'mlp.fc1.bias': [m],
    'mlp.fc2.weight': [d, m],
    'mlp.fc2.bias': [d],
  };
  const expected = new Map<string, readonly number[]>([
    [tokenEmbeddingName, [V, d]],
    [positionEmbeddingName, [L, d]],
  ]);
  for (let layer = 0; layer < config.numHiddenLayers; layer++)
    for (const part of layerTensorNames) expected.set(layerTensor(layer, part), shapes[part]);
  expected.set(finalLayerNormWeightName, [d]);
  expected.set(finalLayerNormBiasName, [d]);
  return expected;
}
