import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { writeNpy } from '../../files/npy.ts';
import { writeSafetensors } from '../../files/safetensors.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { writeZip } from '../../files/zipWriter.ts';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import { conditioningFormats, openConditioning, writeConditioning } from './conditioningFile.ts';
import { exportConditioning, exportMetadata } from './exportConditioning.ts';

const options = { ...defaultOptions, mask: 'hf' } as const;
const pair = {
  positive: preparePrompt('a (cat:1.2) AND a dog', options, tokenizer),
  negative: preparePrompt('fog', options, tokenizer, 'negative'),
  options,
};
const tensors = exportConditioning(pair, fakeZ);
const metadata = exportMetadata(pair, { name: 'tiny', random: true });
const open = (bytes: Uint8Array, name = 'a.file') => openConditioning(memorySource(bytes, name));

test.each(conditioningFormats)('%s: what is written is read back', async (format) => {
  const file = await open(writeConditioning(format, tensors, metadata));
  const embeds = tensors.filter(({ dtype }) => dtype === 'F32');
  const found = new Map(file!.conditionings.map((one) => [one.name.replace('a.file', 'prompt_embeds'), one]));
  const expected = format === 'npy' ? embeds.slice(0, 2) : embeds;
  expect(new Set(found.keys())).toEqual(new Set(expected.map(({ name }) => name)));
  for (const { name, data } of expected) expect(found.get(name)).toMatchObject({ rows: 77, d, data });
  expect(Object.fromEntries(file!.metadata)).toEqual(format === 'npy' ? {} : metadata);
});

const rows = (n: number, value = 1) => new Float32Array(n * d).fill(value);
const f32 = (name: string, shape: readonly number[]) => ({
  name,
  dtype: 'F32' as const,
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

test.each([[[77, d]], [[1, 154, d]]])(
  'the only array of shape %o is a conditioning, whatever it is called',
  async (shape) => {
    const file = await open(writeSafetensors([f32('cond', shape)]));
    expect(file!.conditionings).toMatchObject([{ name: 'cond', rows: shape.at(-2), d }]);
    expect(
      (await open(writeNpy(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)))!.conditionings,
    ).toHaveLength(1);
  },
);

test('float16 is read as it is', async () => {
  const data = new Uint16Array(77 * d).fill(0x3e00);
  const file = await open(writeSafetensors([{ name: 'prompt_embeds', dtype: 'F16', shape: [1, 77, d], data }]));
  expect(file!.conditionings[0].data).toEqual(rows(77, 1.5));
});

test('a compressed .npz is unpacked', async () => {
  const npy = writeNpy(rows(77, 2), [1, 77, d]);
  const packed = deflateRawSync(npy);
  const bytes = writeZip([{ name: 'prompt_embeds.npy', data: packed }]);
  const view = new DataView(bytes.buffer);
  const entry = 30 + 17 + packed.length;
  for (const header of [4, entry + 6]) {
    view.setUint16(header + 4, 8, true);
    view.setUint32(header + 18, npy.length, true);
  }
  expect((await open(bytes))!.conditionings[0].data).toEqual(rows(77, 2));
});

test.each([
  ['a checkpoint', writeSafetensors([f32('text_model.x', [2, 2]), f32('text_model.y', [77, 2])])],
  ['an embedding', writeSafetensors([f32('emb_params', [8, 768])])],
  ['a PyTorch archive', writeZip([{ name: 'archive/data.pkl', data: new Uint8Array(3) }])],
  ['damaged safetensors', writeSafetensors([f32('prompt_embeds', [1, 77, d])]).subarray(0, 200)],
  ['a damaged archive', writeZip([{ name: 'prompt_embeds.npy', data: new Uint8Array(3) }]).subarray(0, 60)],
  ['nothing', new Uint8Array()],
])('%s is left to others', async (_, bytes) => {
  expect(await open(bytes)).toBeNull();
});

const nan = rows(77);
nan[5] = Number.NaN;
test.each([
  ['75 rows', writeNpy(rows(75), [75, d]), '"a.file" holds "a.file" of shape [75, 3]; a conditioning is'],
  ['a NaN in .npy', writeNpy(nan, [77, d]), 'NaN or an infinity'],
  [
    'a NaN in safetensors',
    writeSafetensors([{ ...f32('prompt_embeds', [77, d]), data: nan }]),
    'has NaN in tensor "prompt_embeds" at [1, 2]',
  ],
  ['prompt_embeds of one dimension', writeSafetensors([f32('prompt_embeds', [77])]), 'of shape [77]'],
  ['nothing called prompt_embeds', writeZip([npyFile('a'), npyFile('b')]), 'holds 2 arrays and none is called'],
  ['a damaged array', writeNpy(rows(77), [77, d]).subarray(0, 300), '"a.file" cannot be read: the NPY file has'],
] as const)('%s is one sentence', async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(message);
});

function npyFile(name: string) {
  return { name: `${name}.npy`, data: writeNpy(rows(77), [77, d]) };
}
