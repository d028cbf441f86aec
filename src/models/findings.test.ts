import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { expectedTensors, tokenEmbeddingName } from '../clip/weights.ts';
import { fromFloat32 } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { elementCount, type TensorDtype } from '../files/tensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { examine } from './doctor.ts';
import { findings } from './findings.ts';

interface Spec {
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

const floats = (shape: readonly number[], value: (i: number) => number): Spec => ({
  dtype: 'F32',
  shape,
  data: fromFloat32(
    Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
    'F32',
  ),
});

/** Returns the findings about an encoder of ones, with some of its tensors replaced, left out (null) or added. */
async function found(changes: Readonly<Record<string, Spec | null>>) {
  const all = new Map<string, Spec>();
  for (const [name, shape] of expectedTensors(clipTiny))
    all.set(
      name,
      floats(shape, () => 1),
    );
  for (const [name, change] of Object.entries(changes))
    if (change) all.set(name, change);
    else all.delete(name);
  const bytes = writeSafetensors(Array.from(all, ([name, spec]) => ({ name, ...spec })));
  return findings(await examine(await openTensorFile(memorySource(bytes, 'model.safetensors'))));
}

const norm = 'text_model.final_layer_norm.weight';
const bias = 'text_model.final_layer_norm.bias';

test('of a sound encoder there is nothing to say', async () => {
  expect(await found({})).toEqual([]);
});

test('errors come first, each with the names it is about', async () => {
  const ids = Float32Array.from({ length: 77 }, (_, i) => (i === 3 ? 2.75 : i));
  const all = await found({
    [norm]: null,
    [bias]: floats([7], () => 0),
    [tokenEmbeddingName]: floats([49408, 64], (i) => (i === 65 ? Number.NaN : 0)),
    'text_model.embeddings.position_ids': { dtype: 'F32', shape: [1, 77], data: new Uint8Array(ids.buffer) },
    'text_model.unknown': floats([1], () => 1),
  });
  expect(all).toEqual([
    { severity: 'error', message: '1 of the encoder’s 36 tensors are missing.', items: [norm] },
    {
      severity: 'error',
      message: '1 tensor of another shape than the encoder’s.',
      items: [`${bias}: [7]; expected [64]`],
    },
    {
      severity: 'error',
      message: 'NaN or infinity in 1 tensor: the encoder’s output will be NaN, too.',
      items: [`${tokenEmbeddingName}: 1 of 3162112 elements, the first NaN at [1, 1]`],
    },
    {
      severity: 'warning',
      message:
        'Broken position ids: in "text_model.embeddings.position_ids" 1 id is not its position. Programs that read them (A1111 and diffusers truncate, ComfyUI rounds) give those tokens another place; here they are not read.',
      items: ['position 3: 2.75, truncated 2, rounded 3'],
    },
    {
      severity: 'warning',
      message: '1 position collapses, truncated, onto another: two tokens share one position embedding.',
      items: ['position 3 onto 2'],
    },
    { severity: 'note', message: '1 tensor beside the encoder’s that it does not use.', items: ['text_model.unknown'] },
  ]);
});

test('a type that is no weight, and weights of zeros', async () => {
  const all = await found({
    [norm]: floats([64], () => 0),
    [bias]: { dtype: 'I8', shape: [64], data: new Uint8Array(64) },
  });
  expect(all.map(({ severity, items }) => [severity, items])).toEqual([
    ['error', [`${bias}: I8`]],
    ['warning', [norm]],
  ]);
});
