import { clipTiny } from '../clip/config.ts';
import { expectedTensors } from '../clip/weights.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { syntheticWeights } from '../models/synthetic.ts';

/** Makes the file of the model that conditionings were recorded on: safetensors by transformers' names, d 64, 2 layers, 13 MB. */
export async function recordedModel(): Promise<Uint8Array<ArrayBuffer>> {
  const source = syntheticWeights(clipTiny);
  const tensors = Array.from(expectedTensors(clipTiny), async ([name, shape]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    data: await source.read(name),
  }));
  return writeSafetensors(await Promise.all(tensors));
}
