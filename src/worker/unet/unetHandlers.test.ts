import { expect, test } from 'vitest';
import type { LayerReads, ProjectedLengths } from '../../analyses/unetReads.ts';
import { clipTiny } from '../../clip/config.ts';
import { toFloat32 } from '../../files/dtypes.ts';
import { writeSafetensors } from '../../files/safetensors.ts';
import { createRandom, normal } from '../../models/seededRandom.ts';
import { unetBlocks, unetBytes, unetName, unetTensors } from '../../models/testing/unets.ts';
import { smallDenoiserFile } from '../../pictures/testing/smallDenoiser.ts';
import { createUnetHandlers } from './unetHandlers.ts';
import type { UnetFound, UnetSource } from './unetMessages.ts';

const [L, d] = [77, clipTiny.hiddenSize];
const size = { d, smaller: 80 } as const;
const random = createRandom(3);
const before = Float32Array.from({ length: L * d }, () => normal(random));
/** Row 2 weighs 1.5, and row 5 is another one. */
const after = before.map((value, i) => (i >= 2 * d && i < 3 * d ? 1.5 * value : i === 5 * d ? value + 3 : value));

const handlers = createUnetHandlers({ fetchPictureModel: async () => new Response(smallDenoiserFile()) });
const { signal } = new AbortController();
const ldm = unetBytes({ layout: 'ldm', ...size });
const file = (bytes: Uint8Array<ArrayBuffer>, name = 'x.safetensors'): UnetSource => ({
  kind: 'file',
  file: new File([bytes], name),
});
const read = (source: UnetSource, rows = { before, after }, width = d) =>
  handlers.read({ source, ...rows, d: width }, signal, () => {});

function layersOf(found: UnetFound): readonly LayerReads[] {
  if ('problem' in found) throw new Error(found.problem);
  return found.layers;
}

/** Lengths of a conditioning's row under a weight [C, d], in float64. */
function judge(weight: ArrayLike<number>, row: number) {
  const product = (rows: ArrayLike<number>) =>
    Array.from({ length: weight.length / d }, (_, c) => {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += weight[c * d + i] * rows[row * d + i];
      return sum;
    });
  const [own, weighted] = [product(before), product(after)];
  return {
    before: Math.hypot(...own),
    after: Math.hypot(...weighted),
    distance: Math.hypot(...own.map((x, c) => weighted[c] - x)),
  };
}

test('keys and values of every layer are as long as in float64, in both layouts', async () => {
  const layers = layersOf(await read(file(ldm)));
  const tensors = new Map(
    unetTensors({ layout: 'ldm', ...size }).map(({ name, data }) => [name, toFloat32(data, 'F16')]),
  );
  expect(layers.map(({ name }) => name)).toEqual(unetBlocks.map(({ name }) => name));
  for (const [i, { keys, values, channels }] of layers.entries())
    for (const [lengths, part] of [
      [keys, 'to_k'],
      [values, 'to_v'],
    ] as const) {
      const weight = tensors.get(unetName('ldm', unetBlocks[i], part))!;
      expect(weight).toHaveLength(channels * d);
      for (const row of [0, 2, 5, 76]) {
        const expected = judge(weight, row);
        expect(lengths.before[row]).toBeCloseTo(expected.before, 4);
        expect(lengths.after[row]).toBeCloseTo(expected.after, 4);
        expect(lengths.moved[row]).toBeCloseTo(expected.distance / expected.before, 4);
      }
    }
  expect(layersOf(await read(file(unetBytes({ layout: 'diffusers', ...size })))).map(({ keys }) => keys)).toEqual(
    layers.map(({ keys }) => keys),
  );
});

test('a weight moves its own rows alone, by as much as it is away from 1; rows as they were are exactly so', async () => {
  const { keys } = layersOf(await read(file(ldm)))[6];
  expect(keys.moved[2]).toBeCloseTo(0.5, 5);
  expect(keys.after[2] / keys.before[2]).toBeCloseTo(1.5, 5);
  const moved = ({ moved }: ProjectedLengths) => [...moved.keys()].filter((row) => moved[row] !== 0);
  expect(moved(keys)).toEqual([2, 5]);
  const same = layersOf(await read(file(ldm), { before, after: before.slice() }));
  expect(same.map(({ keys, values }) => [...moved(keys), ...moved(values)])).toEqual(same.map(() => []));
  expect(same[6].keys.before).toEqual(keys.before);
});

test('a whole checkpoint has its U-Net beside the text encoder', async () => {
  const encoder = {
    name: 'cond_stage_model.transformer.text_model.embeddings.position_embedding.weight',
    ...({ dtype: 'F16', shape: [L, d], data: new Uint8Array(2 * L * d) } as const),
  };
  const whole = writeSafetensors([encoder, ...unetTensors({ layout: 'ldm', ...size })]);
  expect(layersOf(await read(file(whole)))).toEqual(layersOf(await read(file(ldm))));
});

test('the page’s own denoiser has cross-attention, too', async () => {
  const rows = new Float32Array(2 * 128).fill(1);
  const layers = layersOf(await read({ kind: 'own', address: '' }, { before: rows, after: rows }, 128));
  expect(layers.map(({ name, block, channels }) => [name, block, channels])).toEqual([
    ['down 1', 'down.0.blocks.0', 8],
    ['down 2', 'down.1.blocks.0', 16],
    ['up 1', 'up.0.blocks.0', 8],
  ]);
  expect(layers[1].values.after[0]).toBeGreaterThan(0);
});

test('a file without a U-Net, and one for another encoder, end in a sentence', async () => {
  const encoder = writeSafetensors([
    { name: 'text_model.final_layer_norm.bias', dtype: 'F32', shape: [1], data: new Uint8Array(4) },
  ]);
  expect(await read(file(encoder, 'model.safetensors'))).toEqual({
    problem:
      '"model.safetensors" has no U-Net; open a whole checkpoint of Stable Diffusion 1, or diffusion_pytorch_model.safetensors of its folder “unet”.',
  });
  const other = unetBytes({ layout: 'diffusers', d: 2048, smaller: 320 });
  expect(await read(file(other, 'xl.safetensors'))).toEqual({
    problem: `"xl.safetensors" has a U-Net that reads rows of 2048 numbers, and the text encoder in use gives rows of ${d}: open the U-Net that belongs to it.`,
  });
  await expect(read(file(new Uint8Array(7)))).rejects.toThrow('"x.safetensors" is not a safetensors file');
  const ended = AbortSignal.abort();
  const asked = handlers.read({ source: file(encoder), before, after, d }, ended, () => {});
  await expect(asked).rejects.toThrow(/abort/i);
});
