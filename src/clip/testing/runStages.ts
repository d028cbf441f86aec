import type { ClipTextConfig } from '../config.ts';
import type { EncoderPass } from '../encoderPass.ts';
import { type StageInputs, stages, type TensorKey } from '../stages.ts';
import { layerTensorNames, positionEmbeddingName, tokenEmbeddingName } from '../weights.ts';

/** Float64 weights by their full names. */
export type Weights = ReadonlyMap<string, Float64Array>;

/**
 * Computes every matrix of one layer by the operations of stages.ts: −1 is the embeddings, N the final LayerNorm. `hidden`
 * [L, d] is the layer's input; the embeddings need none.
 */
export function layerStages(
  config: ClipTextConfig,
  weights: Weights,
  pass: EncoderPass,
  layer: number,
  hidden?: Float64Array,
): ReadonlyMap<TensorKey, Float64Array> {
  const { hiddenSize: d, numHiddenLayers: N } = config;
  const made = new Map<TensorKey, Float64Array>();
  if (hidden) made.set('hidden', hidden);
  const inputs: StageInputs = {
    config,
    pass,
    tensor: (key) => made.get(key)!,
    weight: (name) => {
      const isOfLayer = layerTensorNames.some((known) => known === name);
      return weights.get(isOfLayer ? `text_model.encoder.layers.${layer}.${name}` : `text_model.${name}`)!;
    },
    tableRow: (table, index) =>
      weights.get(table === 'token' ? tokenEmbeddingName : positionEmbeddingName)!.subarray(index * d, (index + 1) * d),
  };
  const place = layer < 0 ? 'before' : layer < N ? 'layer' : 'after';
  for (const stage of stages)
    if (stage.place === place) for (const { tensor, compute } of stage.operations) made.set(tensor, compute(inputs));
  return made;
}
