import { expect, test, vi } from 'vitest';
import { defaultOptions } from '../../road/options.ts';
import { methodNames } from '../../weighting/methods.ts';
import type { DrawnPicture, PictureTake } from '../../worker/pictures/pictureMessages.ts';
import { picturePool } from './picturePool.ts';
import { createPictureLab, type PicturePool, previewCalls } from './pictureStore.ts';

const input = (positive: string) => ({ prompts: { positive, negative: '' }, options: defaultOptions });

/** A pool whose pictures are there when the test says so. */
function startLab(seeds = 4) {
  const asked: {
    readonly takes: readonly PictureTake[];
    readonly calls: number;
    readonly onGpu: boolean;
    readonly signal: AbortSignal;
    give(take: number): void;
    finish(): void;
  }[] = [];
  const pool: PicturePool = {
    draw: (takes, { calls, onGpu }, _, signal, hear) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        const give = (i: number) => hear({ take: takes[i] } as unknown as DrawnPicture, i);
        const finish = () => {
          for (const i of takes.keys()) give(i);
          resolve();
        };
        asked.push({ takes, calls, onGpu, signal, give, finish });
      }),
    follow: async () => null,
    parameters: async () => 1234,
  };
  const waits: number[] = [];
  const wait = async (milliseconds: number) => void waits.push(milliseconds);
  const lab = createPictureLab({ pool, seeds, merges: '', model: '', wait });
  const nth = async (n: number) => {
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(n));
    return asked[n];
  };
  const drawnPrompts = () =>
    lab.getState().row.map((one) => (one?.picture as unknown as { take: PictureTake })?.take.prompts.positive);
  return { lab, asked, nth, drawnPrompts, waits };
}

test('a prompt is drawn in few steps, then in all; the next key ends that, and pictures stay until others are there', async () => {
  const { lab, asked, nth, drawnPrompts } = startLab();
  lab.getState().read(input('red'), []);
  expect(asked).toHaveLength(0);
  lab.getState().show();
  const preview = await nth(0);
  expect(preview.calls).toBe(previewCalls);
  expect(preview.takes.map(({ seed }) => seed)).toEqual([1, 2, 3, 4]);
  preview.finish();
  const whole = await nth(1);
  expect(whole.calls).toBe(defaultOptions.steps);
  expect(drawnPrompts()).toEqual(Array(4).fill('red'));

  lab.getState().read(input('blue'), []);
  expect(whole.signal.aborted).toBe(true);
  const next = await nth(2);
  expect(next.takes[0].prompts.positive).toBe('blue');
  expect(drawnPrompts()).toEqual(Array(4).fill('red'));
  next.finish();
  (await nth(3)).finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(drawnPrompts()).toEqual(Array(4).fill('blue'));
  expect(lab.getState().parameters).toBe(1234);

  // Nothing is drawn again for the same prompt, nor for another step on show.
  lab.getState().read({ ...input('blue'), options: { ...defaultOptions, step: 5 } }, lab.getState().embeddings);
  lab.getState().hide();
  lab.getState().show();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(asked).toHaveLength(4);
});

test('a study is drawn when it is opened, and the row stays as it is', async () => {
  const { lab, asked, nth } = startLab();
  lab.getState().read(input('red'), []);
  lab.getState().show();
  (await nth(0)).finish();
  (await nth(1)).finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  lab.getState().openStudy('layers', true);
  const layers = await nth(2);
  expect(layers.onGpu).toBe(false);
  expect(layers.takes.map(({ options }) => options.clipSkip)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  layers.finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  lab.getState().openStudy('layers', false);
  lab.getState().openStudy('layers', true);
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(asked).toHaveLength(3);
  // Another engine draws the same: nothing is drawn again before something else changes.
  lab.getState().drawOn(true);
  expect(asked).toHaveLength(3);
  lab.getState().choose({ firstSeed: 9 });
  const changed = await nth(3);
  expect([changed.takes[0].seed, changed.onGpu]).toEqual([9, true]);
});

test('pictures that are asked for change what they say of the prompt, and are drawn when others are asked for', async () => {
  const { lab, asked, nth } = startLab(0);
  lab.getState().openStudy('asked', true);
  lab.getState().ask([{ label: 'as typed' }, { label: 'without', prompts: { positive: 'circle', negative: '' } }]);
  lab.getState().read(input('red circle'), []);
  lab.getState().show();
  const two = await nth(0);
  expect(two.takes.map(({ prompts }) => prompts.positive)).toEqual(['red circle', 'circle']);
  two.finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  lab.getState().ask([{ label: 'as typed' }, { label: 'without', prompts: { positive: 'circle', negative: '' } }]);
  expect(asked).toHaveLength(1);
  lab.getState().ask([{ label: 'as typed' }]);
  expect((await nth(1)).takes).toHaveLength(1);
});

test('of a study or a row that was interrupted, what is missing alone is drawn', async () => {
  const { lab, asked, nth } = startLab();
  lab.getState().read(input('red'), []);
  lab.getState().show();
  (await nth(0)).finish();
  (await nth(1)).give(2);
  lab.getState().openStudy('layers', true);
  const others = await nth(2);
  expect(others.takes.map(({ seed }) => seed)).toEqual([1, 2, 4]);
  others.finish();
  const layers = await nth(3);
  for (const i of [0, 1, 4]) layers.give(i);
  lab.getState().openStudy('rows', true);
  expect(layers.signal.aborted).toBe(true);
  const rest = await nth(4);
  expect(rest.takes.map(({ options }) => options.clipSkip)).toEqual([5, 4, 2, 1]);
  rest.finish();
  expect(
    lab.getState().studies.layers!.pictures.map((one) => (one!.picture as unknown as { take: PictureTake }).take),
  ).toEqual(lab.getState().studies.layers!.takes.map(({ take }) => take));
  const rows = await nth(5);
  lab.getState().openStudy('rows', false);
  expect(rows.signal.aborted).toBe(true);
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(asked).toHaveLength(6);
});

test('the same words are tried once', async () => {
  const { lab, asked, nth } = startLab(0);
  lab.getState().tryWords({ positive: 'red', start: 0, end: 3 });
  lab.getState().openStudy('weights', true);
  lab.getState().read(input('red'), []);
  lab.getState().show();
  const { takes, finish } = await nth(0);
  expect(takes).toHaveLength(17);
  lab.getState().tryWords({ positive: 'red', start: 0, end: 3 });
  finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(asked).toHaveLength(1);
});

test('a study without a row is drawn after a pause, and ends with the next key', async () => {
  const { lab, asked, nth, waits } = startLab(0);
  lab.getState().openStudy('methods', true);
  lab.getState().read(input('red'), []);
  lab.getState().show();
  const methods = await nth(0);
  expect(waits).toEqual([350]);
  expect(methods.takes.map(({ options }) => options.weighting)).toEqual(methodNames);
  expect(methods.calls).toBe(defaultOptions.steps);
  lab.getState().read(input('blue'), []);
  expect(methods.signal.aborted).toBe(true);
  (await nth(1)).finish();
  await vi.waitFor(() => expect(lab.getState().phase).toBe('ready'));
  expect(lab.getState().studies.methods?.pictures).toHaveLength(methodNames.length);
  expect(asked).toHaveLength(2);
});

test('without a model nothing is asked for again until the view is shown the next time', async () => {
  const missing = Object.assign(new Error('There is none.'), { name: 'NoPictureModelError' });
  const draw = vi.fn(async () => Promise.reject(missing));
  const lab = createPictureLab({
    pool: { draw, follow: async () => null, parameters: async () => 1234 },
    ...{ seeds: 4, merges: '', model: '', wait: async () => {} },
  });
  lab.getState().read(input('red'), []);
  lab.getState().show();
  await vi.waitFor(() => expect(lab.getState()).toMatchObject({ phase: 'missing', message: 'There is none.' }));
  lab.getState().read(input('blue'), []);
  expect(draw).toHaveBeenCalledTimes(1);
  lab.getState().hide();
  lab.getState().show();
  expect(draw).toHaveBeenCalledTimes(2);
});

test('workers share the takes, and each picture is in its place', async () => {
  const batches: number[][] = [];
  const ask = async (_: string, { takes }: { takes: readonly PictureTake[] }) => {
    batches.push(takes.map(({ seed }) => seed));
    return takes.map((take) => ({ take }));
  };
  const pool = picturePool([ask, ask] as unknown as Parameters<typeof picturePool>[0]);
  const takes = [1, 2, 3, 4, 5].map((seed) => ({ seed }) as PictureTake);
  const drawn: number[] = [];
  const hear = (picture: unknown, i: number) => {
    drawn[i] = (picture as { take: PictureTake }).take.seed;
  };
  const { signal } = new AbortController();
  await pool.draw(takes, {} as Parameters<PicturePool['draw']>[1], 2, signal, hear);
  expect(drawn).toEqual([1, 2, 3, 4, 5]);
  expect(batches).toEqual([[1, 2], [3, 4], [5]]);
});

test('where takes are few no worker is idle, and where one fails the others ask for nothing more', async () => {
  const asked: number[][] = [];
  const ask = async (_: string, { takes }: { takes: readonly PictureTake[] }) => {
    asked.push(takes.map(({ seed }) => seed));
    if (takes[0].seed === 1) throw new Error('It is out of memory.');
    await new Promise((resolve) => setTimeout(resolve));
    return takes;
  };
  const draw = (workers: number, seeds: readonly number[]) =>
    picturePool(Array(workers).fill(ask)).draw(
      seeds.map((seed) => ({ seed }) as PictureTake),
      {} as Parameters<PicturePool['draw']>[1],
      2,
      new AbortController().signal,
      () => {},
    );
  await draw(4, [5, 6, 7, 8]);
  expect(asked.splice(0)).toEqual([[5], [6], [7], [8]]);
  await expect(draw(2, [1, 2, 3, 4, 5, 6])).rejects.toThrow('It is out of memory.');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test('a GPU is left to one worker', async () => {
  const asked: string[] = [];
  const worker =
    (name: string) =>
    async (_: string, { takes }: { takes: readonly PictureTake[] }) => {
      asked.push(name);
      return takes;
    };
  const pool = picturePool([worker('first'), worker('second')] as unknown as Parameters<typeof picturePool>[0]);
  const takes = [1, 2].map((seed) => ({ seed }) as PictureTake);
  const { signal } = new AbortController();
  const settings = { onGpu: true } as Parameters<PicturePool['draw']>[1];
  await pool.draw(takes, settings, 1, signal, () => {});
  expect(asked).toEqual(['first', 'first']);
  await pool.draw(takes, { ...settings, onGpu: false }, 1, signal, () => {});
  expect(asked.slice(2)).toEqual(['first', 'second']);
});
