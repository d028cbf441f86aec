import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { openCheckpoint } from './openCheckpoint.ts';
import { checkpointBytes, type LayoutName, layouts } from './testing/checkpoints.ts';

const d = clipTiny.hiddenSize;
const E = 5;
/** [E, d], by row and column. */
const at = (e: number, i: number) => e + i / 1024;
const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const rows = Array.from({ length: E * d }, (_, k) => at(Math.floor(k / d), k % d));
const columns = Array.from({ length: E * d }, (_, k) => at(k % E, Math.floor(k / E)));

const tensor = (name: string, shape: readonly number[], values: readonly number[]) =>
  ({ name, dtype: 'F32', shape, data: () => bytesOf(values) }) as const;

async function projectionOf(layout: LayoutName, extra: readonly ReturnType<typeof tensor>[]) {
  // A layout that is an object brings no neighbours of its own.
  const bytes = await checkpointBytes({ config: clipTiny, dtype: 'F32', layout: { ...layouts[layout] }, extra });
  return (await openCheckpoint(memorySource(bytes, 'clip.safetensors'))).projection?.() ?? null;
}

const linear = (start: string) => tensor(`${start}text_projection.weight`, [E, d], rows);
const plain = (start: string) => tensor(`${start}text_projection`, [d, E], columns);
const scale = (start: string, shape: readonly number[] = []) => tensor(`${start}logit_scale`, shape, [4.5]);

test.each<[LayoutName, readonly ReturnType<typeof tensor>[]]>([
  ['hf', [linear(''), scale('')]],
  ['hf-bare', [linear(''), scale('', [1])]],
  ['sd3', [linear('text_encoders.clip_l.transformer.'), scale('text_encoders.clip_l.')]],
  ['openclip', [plain(''), scale('')]],
  ['openclip-text', [plain('text.'), scale('')]],
  ['openclip-module', [plain('module.'), scale('module.')]],
  ['openclip-ldm', [plain('cond_stage_model.model.'), scale('cond_stage_model.model.')]],
])('the projection and the temperature are found beside the encoder: %s', async (layout, extra) => {
  const projection = await projectionOf(layout, extra);
  expect(projection).toMatchObject({ E, logScale: 4.5 });
  expect([...projection!.matrix]).toEqual(rows);
});

test('a file without a projection has none, and one without a temperature says so', async () => {
  expect(await projectionOf('hf', [scale('')])).toBeNull();
  // Another encoder's is not this one's.
  expect(await projectionOf('sd3', [linear('text_encoders.clip_g.transformer.')])).toBeNull();
  expect(await projectionOf('hf', [linear('')])).toMatchObject({ E, logScale: null });
});

test.each([
  [[tensor('text_projection.weight', [E, d - 1], rows.slice(E))], 'expected [E, 64]'],
  [[tensor('text_projection', [d * E], columns)], 'expected [64, E]'],
  [[linear(''), tensor('text_projection.bias', [E], [1, 2, 3, 4, 5])], 'with a bias'],
  [[linear(''), tensor('logit_scale', [2], [1, 2])], 'expected one number'],
])('a projection that is none is told in a sentence', async (extra, why) => {
  const refused = projectionOf('hf', extra);
  await expect(refused).rejects.toThrow('"clip.safetensors" has');
  await expect(refused).rejects.toThrow(why.replace('64', String(d)));
});
