import { expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../files/safetensors.ts';
import type { ByteSource } from '../files/sources.ts';
import type { StoredTensor, TensorFile } from '../files/tensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { unetBlocks, unetBytes, unetName, unetTensors } from './testing/unets.ts';
import { hasUnet, unetLayers } from './unetFile.ts';

const noData = async () => {
  throw new Error('Nothing may be read.');
};

/** A file with tensors of these shapes, of which nothing can be read. */
function shapesOnly(shapes: readonly (readonly [string, readonly number[]])[]): TensorFile {
  const tensors = new Map(
    shapes.map(([name, shape]): [string, StoredTensor] => [name, { dtype: 'F16', shape, bytes: 0, read: noData }]),
  );
  return {
    source: memorySource(new Uint8Array(), 'x.safetensors'),
    format: 'safetensors',
    metadata: new Map(),
    tensors,
  };
}

test.each(['ldm', 'diffusers'] as const)('the layers of Stable Diffusion 1.5, in %s names', (layout) => {
  // In the order of their names, as files have them: output_blocks.10 stands before output_blocks.3.
  const shapes = unetBlocks
    .flatMap((block) =>
      (['to_k', 'to_v'] as const).map((part) => [unetName(layout, block, part), [block.channels, 768]] as const),
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const { width, layers } = unetLayers(shapesOnly(shapes));
  expect(width).toBe(768);
  expect(layers.map(({ name, block, channels }) => [name, block, channels])).toEqual(
    unetBlocks.map((block) => [block.name, block[layout], block.channels]),
  );
});

test('several layers in a block run one after the other', () => {
  const block = 'up_blocks.0.attentions.0.transformer_blocks';
  const names = [10, 2, 0].flatMap((i) => ['to_k', 'to_v'].map((part) => `${block}.${i}.attn2.${part}.weight`));
  const { layers } = unetLayers(
    shapesOnly(names.map((name) => [name, [name.includes('.10.') ? 8 : name.includes('.2.') ? 4 : 2, 2048]])),
  );
  expect(layers.map(({ name, channels }) => [name, channels])).toEqual([
    ['up 1', 2],
    ['up 2', 4],
    ['up 3', 8],
  ]);
});

test('nothing is read of the file but its directory and the matrices that are asked for', async () => {
  const bytes = unetBytes({ layout: 'ldm', d: 256, smaller: 160 });
  const whole = memorySource(bytes);
  let read = 0;
  const source: ByteSource = {
    ...whole,
    read(start, end, signal) {
      read += end - start;
      return whole.read(start, end, signal);
    },
  };
  const { layers } = unetLayers(await openSafetensors(source));
  const directory = read;
  const key = await layers[0].key();
  expect(key).toHaveLength(2 * 256);
  // Two bytes a number.
  expect(read - directory).toBe(2 * 2 * 256);
  expect(directory).toBeLessThan(bytes.length / 4);
});

test('a file without a U-Net, and one that cannot be read, are told of in a sentence', async () => {
  const [key, value] = (['to_k', 'to_v'] as const).map((part) => unetName('ldm', unetBlocks[15], part));
  const sentence = (shapes: Parameters<typeof shapesOnly>[0]) => {
    try {
      unetLayers(shapesOnly(shapes));
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(sentence([['text_model.embeddings.token_embedding.weight', [49408, 768]]])).toBe(
    '"x.safetensors" has no U-Net; open a whole checkpoint of Stable Diffusion 1, or diffusion_pytorch_model.safetensors of its folder “unet”.',
  );
  expect(sentence([[key, [320, 768]]])).toBe(`"x.safetensors" lacks tensor "${value}" of its U-Net.`);
  expect(
    sentence([
      [key, [320, 768]],
      [value, [320, 1024]],
    ]),
  ).toBe(`"x.safetensors" has tensor "${value}" of shape [320, 1024]; expected […, 768].`);
  expect(
    sentence([
      [key, [320, 768]],
      [value, [640, 768]],
    ]),
  ).toBe(`"x.safetensors" has tensor "${value}" of shape [640, 768]; expected [320, 768].`);
  expect(
    sentence([
      [key, [320, 768]],
      [value, [320, 768]],
      [key.replace('weight', 'scale_weight'), []],
    ]),
  ).toMatch(/in few bits with factors/);
  // A ControlNet has the way down alone.
  const controlNet = ['to_k', 'to_v'].map(
    (part) => [`input_blocks.1.1.transformer_blocks.0.attn2.${part}.weight`, [320, 768]] as const,
  );
  expect(hasUnet(shapesOnly(controlNet))).toBe(false);

  const tensors = unetTensors({ layout: 'diffusers', d: 8, smaller: 80, dtype: 'F32' });
  const broken = tensors.find(({ name }) => name === unetName('diffusers', unetBlocks[0], 'to_v'))!;
  new Float32Array(broken.data.buffer)[9] = Number.NaN;
  const { layers } = unetLayers(await openSafetensors(memorySource(writeSafetensors(tensors), 'y.safetensors')));
  await expect(layers[0].value()).rejects.toThrow(
    `"y.safetensors" has NaN in tensor "${broken.name}" at [1, 1]; expected only finite numbers.`,
  );
});
