import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { fileSource } from '../../cli/fileSource.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import { elementCount } from '../../files/tensorFile.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import type { GpuDevice } from '../../gpu/device.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { weightsHash } from '../../models/weightsHash.ts';
import { lookSide } from '../../pictures/drawing.ts';
import { smallDenoiserFile } from '../../pictures/testing/smallDenoiser.ts';
import { defaultOptions, type PromptOptions } from '../../road/options.ts';
import { type MethodName, methodNames } from '../../weighting/methods.ts';
import { createPictureHandlers } from './pictureHandlers.ts';
import { type DrawnPicture, type PictureSettings, type PictureTake, untouched } from './pictureMessages.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const settings: PictureSettings = {
  merges: '',
  model: '',
  embeddings: [],
  sampler: 'flow',
  guidance: 2,
  calls: 4,
  onGpu: false,
};

let file: Uint8Array<ArrayBuffer>;
let handlers: ReturnType<typeof start>;
let breathe = async () => {};
const start = (
  fetchPictureModel = async () => new Response(file),
  findGpu = async (): Promise<GpuDevice> => {
    throw new Error('Nobody asked for a GPU.');
  },
) =>
  createPictureHandlers({
    fetchText: async () => merges,
    fetchSmallModel: async () => new Response(readFileSync('public/small-clip/model.safetensors')),
    fetchPictureModel,
    findGpu,
    breathe: () => breathe(),
  });
beforeAll(() => {
  file = smallDenoiserFile();
  handlers = start();
});

const take = (
  positive: string,
  changes: Partial<PromptOptions> = {},
  rest: Partial<PictureTake> = {},
): PictureTake => ({
  prompts: { positive, negative: '' },
  options: { ...defaultOptions, steps: 4, ...changes },
  seed: 1,
  ...untouched,
  ...rest,
});

async function draw(takes: readonly PictureTake[], changes: Partial<PictureSettings> = {}) {
  const { signal } = new AbortController();
  const drawn = await handlers.draw({ ...settings, ...changes, takes }, signal, () => {});
  return drawn.map((picture) => picture!);
}
const bytesOf = (pictures: readonly DrawnPicture[]) => pictures.map(({ bytes }) => bytes.join());
/** How many pictures differ from all others. */
const distinct = (pictures: readonly DrawnPicture[]) => new Set(bytesOf(pictures)).size;

test('a picture follows from prompt, negative prompt, seed, guidance, sampler and steps, and from nothing beside it', async () => {
  const red = take('a red circle');
  const others = [
    red,
    { ...red, seed: 2 },
    take('a blue circle'),
    { ...red, prompts: { ...red.prompts, negative: 'blue' } },
  ];
  const pictures = await draw(others);
  expect(distinct(pictures)).toBe(4);
  const [alone] = await draw([red]);
  const [again] = bytesOf([alone]);
  expect(bytesOf(pictures)[0]).toBe(again);
  for (const changes of [{ guidance: 4 }, { sampler: 'ddim' }, { calls: 3 }] as const)
    expect(bytesOf(await draw([red], changes))[0]).not.toBe(again);
});

test('schedules, AND, BREAK, clip skip, masks and rows change a picture', async () => {
  const takes = [
    take('a red circle'),
    take('a [red:blue:2] circle'),
    take('a [red|blue] circle'),
    take('a red circle AND a blue square'),
    take('a red circle AND a blue square :0.5'),
    take('a red circle BREAK a blue square'),
    take('a red circle', { clipSkip: 2 }),
    take('a red circle', { mask: 'none' }),
    take('a red circle', { mask: 'hf' }),
    take('a red circle', { mask: 'lecture' }),
    take('a red circle', {}, { rows: 'words' }),
    take('a red circle', {}, { rows: 'pad' }),
    take('("a red circle", "a blue square").blend(0.5, 0.5)', { syntax: 'compel', weighting: 'compel-mask' }),
    take('("a red circle", "a blue square").and()', { syntax: 'compel', weighting: 'compel-mask' }),
  ];
  const pictures = await draw(takes);
  // Compel's .and() joins the rows as A1111's BREAK does; all others differ.
  expect(distinct(pictures.slice(0, -1))).toBe(takes.length - 1);
  expect(bytesOf(pictures).at(-1)).toBe(bytesOf(pictures)[5]);
});

test('a part of the text encoder that is off changes a picture, unless what is read comes before it', async () => {
  const without = (layer: number, head: number | null, way: 'zero' | 'uniform', clipSkip = 1) =>
    take('a red circle', { clipSkip }, { off: { layer, head, way } });
  const pictures = await draw([
    take('a red circle'),
    without(0, 0, 'zero'),
    without(0, 0, 'uniform'),
    without(0, 1, 'zero'),
    without(0, null, 'zero'),
    without(5, null, 'zero'),
  ]);
  expect(distinct(pictures)).toBe(6);
  const skipped = await draw([
    take('a red circle', { clipSkip: 2 }),
    without(5, 0, 'zero', 2),
    without(4, 0, 'zero', 2),
  ]);
  expect(bytesOf([skipped[1]])).toEqual(bytesOf([skipped[0]]));
  expect(distinct(skipped)).toBe(2);
});

test('each method weighs, and a weight can be tried in the place of the typed one', async () => {
  const weighed = (weighting: MethodName) => take('a (red:1.5) circle and a (large:0.5) star', { weighting });
  const pictures = await draw(methodNames.map(weighed));
  // No two of the programs' own methods agree here.
  const own = ['none', 'original', 'compel-mask', 'comfy'].map(
    (name) => pictures[methodNames.indexOf(name as MethodName)],
  );
  expect(distinct(own)).toBe(4);
  const tried = (weight: number) => take('a (red:1.5) circle', {}, { tried: { start: 3, end: 6, weight } });
  const [typed, same, heavier] = await draw([take('a (red:1.5) circle'), tried(1.5), tried(2.5)]);
  expect(bytesOf([same])).toEqual(bytesOf([typed]));
  expect(bytesOf([heavier])).not.toEqual(bytesOf([typed]));
});

test('maps of rows change a picture where they are applied, each in its way', async () => {
  const by = (rowMaps: string, weighting: MethodName = 'psi') => take('a red circle', { weighting, rowMaps });
  const pictures = await draw([
    ...['2: z * 3', '2: empty', '2: alone', '2: z - proj(z, r); r = blue', '2: z * 3; 3: mean'].map((text) => by(text)),
    by(''),
    ...[by('2: z'), by('2: z * 3', 'none'), by('200: empty'), by('2: z * 3; 2: empty'), by('2: z +; 2: z * 3')],
  ]);
  expect(distinct(pictures)).toBe(6);
  const [scaled, , , , , unmapped, ...others] = bytesOf(pictures);
  expect(others.map((bytes) => (bytes === scaled ? 'scaled' : bytes === unmapped ? 'unmapped' : 'another'))).toEqual([
    ...['unmapped', 'unmapped', 'unmapped', 'scaled', 'scaled'],
  ]);
});

test('the judge’s words come with a picture, and null stands for one of numbers that are not finite', async () => {
  const [{ verdict, seen, shares }] = await draw([take('a (red:0) large circle left of a blue square')]);
  // A word that weighs 0 is not said.
  expect(verdict.claim).toBe('The prompt says “large circle left of blue square”');
  // Nor is one that is tried at 0.
  const [tried] = await draw([take('a (red:1.3) circle', {}, { tried: { start: 2, end: 11, weight: 0 } })]);
  expect(tried.verdict.claim).toBe('The prompt says “circle”');
  expect(verdict.right).toBe(false);
  expect(verdict.wrong.length).toBeGreaterThan(0);
  expect(seen.ground).toBeTypeOf('string');
  expect(shares.red).toBeGreaterThanOrEqual(0);
  const { signal } = new AbortController();
  const endless = take('("a cat", "a dog").blend(1, -1)', { syntax: 'compel', weighting: 'compel-mask' });
  expect(await handlers.draw({ ...settings, takes: [endless] }, signal, () => {})).toEqual([null]);
});

test('a picture that is followed tells its steps, its rows, and where its pixels look', async () => {
  const { signal } = new AbortController();
  const followed = (await handlers.follow({ ...settings, take: take('a red circle AND blue') }, signal, () => {}))!;
  expect(followed.trail.map(({ call }) => call)).toEqual([1, 2, 3, 4]);
  expect(followed.trail[3].noisy).toEqual(followed.bytes);
  expect(followed.rows).toHaveLength(2 * 77);
  expect(followed.conditioning).toHaveLength(2 * 77 * 128);
  expect(followed.rows.slice(0, 5).map(({ kind }) => kind)).toEqual(['bos', 'text', 'text', 'text', 'eos']);
  const squares = followed.looks.length / followed.rows.length;
  for (const part of [0, 77])
    for (const square of [0, squares - 1]) {
      let sum = 0;
      for (let row = part; row < part + 77; row++) sum += followed.looks[row * squares + square];
      expect(sum).toBeCloseTo(1 / 2, 5);
    }
  expect(followed.rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 5);
});

test('in fewer calls than steps, a followed picture tells the rows of the last call', async () => {
  const { signal } = new AbortController();
  const scheduled = take('a [red:blue BREAK star:18] circle', { steps: 20 });
  const followed = (await handlers.follow({ ...settings, calls: 4, take: scheduled }, signal, () => {}))!;
  // The nineteen steps of red are the last call's, too.
  expect(followed.rows.slice(1, 4).map(({ text }) => text)).toEqual(['a</w>', 'red</w>', 'circle</w>']);
  expect(followed.conditioning).toHaveLength(2 * 77 * 128);
  expect(followed.looks).toHaveLength(followed.rows.length * lookSide ** 2);
});

test('a draw is cancelled between two calls of the denoiser', async () => {
  const abort = new AbortController();
  let breaths = 0;
  breathe = async () => {
    if (++breaths === 3) abort.abort();
  };
  const drawing = handlers.draw({ ...settings, calls: 20, takes: [take('a star')] }, abort.signal, () => {});
  await expect(drawing).rejects.toThrow(/abort/i);
  expect(breaths).toBe(3);
  breathe = async () => {};
});

test('the numbers that the model learned are counted in its file', async () => {
  const { tensors } = await openSafetensors(memorySource(file));
  const counted = [...tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const { signal } = new AbortController();
  expect(await handlers.parameters(settings, signal, () => {})).toBe(counted);
});

test.each([
  ['no file', () => new Response('', { status: 404 })],
  ['the page in its place', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
])('%s: the page has no picture model yet', async (_, answer) => {
  const without = start(async () => answer());
  const { signal } = new AbortController();
  await expect(without.draw({ ...settings, takes: [take('a star')] }, signal, () => {})).rejects.toThrow(
    /^This page has no picture model yet: there is no file small-pictures\/model\.safetensors/,
  );
});

test('a picture model is used with the text encoder whose tensors it names, and with no other', async () => {
  const clip = await openCheckpoint(fileSource('public/small-clip/model.safetensors'));
  const drawWith = (clipSha256: string) => {
    const { signal } = new AbortController();
    const own = start(async () => new Response(smallDenoiserFile(clipSha256)));
    return own.draw({ ...settings, calls: 1, takes: [take('a red circle')] }, signal, () => {});
  };
  expect(await drawWith((await weightsHash(clip))!)).toHaveLength(1);
  await expect(drawWith('0'.repeat(64))).rejects.toThrow('trained with another small text encoder');
});
