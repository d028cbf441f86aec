import { expect, test } from 'vitest';
import { megabytes } from '../../files/byteCount.ts';
import { SourceError } from '../../files/sources.ts';
import fc from '../../properties.ts';
import { fakeCache, fakeOpfs, type WhenFull } from '../testing/browserStorage.ts';
import { createModelStorage, openModelStorage } from './openStorage.ts';
import { type ModelStorage, StorageError } from './storage.ts';
import { cacheFiles, memoryFiles, opfsFiles, type StorageFiles } from './storageFiles.ts';

const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * seed) & 255);
const model = { name: 'Model A', source: 'https://example.com/a' };
const places: [string, () => StorageFiles][] = [
  ['OPFS', () => opfsFiles(fakeOpfs())],
  ['the cache', () => cacheFiles(fakeCache(), 100)],
  ['memory', memoryFiles],
];

/** Stores a complete model. */
async function put(storage: ModelStorage, bytes: Uint8Array<ArrayBuffer>, of = model) {
  const sink = await storage.sink(of);
  await sink.begin({ version: 'v1', bytes: bytes.length });
  await sink.write(bytes);
  return sink.commit({ sha256: 'ab', source: of.source });
}

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => Promise.reject(new Error('It was fulfilled.')),
    (error: unknown) => error as StorageError,
  );

test.each(places)('what is written to %s in pieces is read in pieces', async (_, make) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 250 }), { maxLength: 8 }),
      fc.nat(2000),
      fc.nat(2000),
      async (chunks, a, b) => {
        const files = make();
        const writer = await files.append('x.bin');
        for (const [i, chunk] of chunks.entries()) {
          await writer.write(chunk as Uint8Array<ArrayBuffer>);
          if (i === 3) await writer.close();
          if (i === 3) break;
        }
        if (chunks.length <= 3) await writer.close();
        const again = await files.append('x.bin');
        for (const chunk of chunks.slice(4)) await again.write(chunk as Uint8Array<ArrayBuffer>);
        const all = Buffer.concat(chunks);
        expect(again.size).toBe(all.length);
        await again.close();
        if (all.length === 0) return;
        const source = await files.open('x.bin');
        expect(source.size).toBe(all.length);
        const [start, end] = [a % (all.length + 1), b % (all.length + 1)].toSorted((x, y) => x - y);
        expect(Buffer.compare(await source.read(start, end), all.subarray(start, end))).toBe(0);
        await expect(source.read(0, all.length + 1)).rejects.toThrow(RangeError);
        expect(await files.names()).toEqual(['x.bin']);
        await files.remove('x.bin');
        await files.remove('x.bin');
        expect(await files.names()).toEqual([]);
        await expect(files.open('x.bin')).rejects.toThrow(SourceError);
      },
    ),
    { numRuns: 30 },
  );
});

test.each(places)('models in %s are listed, opened and deleted', async (_, make) => {
  let time = 0;
  const files = make();
  const storage = createModelStorage(files, {}, () => ++time);
  expect(await storage.list()).toEqual([]);
  const a = await put(storage, bytesOf(1000));
  const b = await put(storage, bytesOf(50, 3), { ...model, source: 'https://example.com/b' });
  expect(a).toEqual({
    id: 'model-a',
    ...model,
    bytes: 1000,
    stored: 1000,
    complete: true,
    addedAt: expect.any(Number),
    sha256: 'ab',
  });
  expect(b.id).toBe('model-a-2');
  expect(await storage.list()).toEqual([b, a]);
  // A page that is loaded again finds the same.
  expect(await createModelStorage(files).list()).toEqual([b, a]);
  const source = await storage.open('model-a');
  expect(source).toMatchObject({ name: 'Model A', size: 1000 });
  expect(await source.read(10, 20)).toEqual(bytesOf(1000).subarray(10, 20));
  await storage.delete('model-a');
  expect(await storage.list()).toEqual([b]);
  const error = await rejection(storage.open('model-a', 'Model A'));
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toBe('"Model A" is no longer stored in this browser; download or open it again.');
  await storage.delete('model-a');
});

test.each(places)('a part in %s is listed as one, and only its own version goes on with it', async (_, make) => {
  const files = make();
  const storage = createModelStorage(files);
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 300 });
  await sink.write(bytesOf(120));
  expect(await storage.list()).toMatchObject([{ complete: false, stored: 120, bytes: 300, sha256: null }]);
  expect((await rejection(storage.sink(model))).fault).toBe('busy');
  await sink.close();
  await sink.close();
  expect((await rejection(sink.write(bytesOf(1)))).fault).toBe('busy');
  expect((await rejection(storage.open('model-a'))).message).toContain('is not complete');

  const again = await createModelStorage(files).sink(model);
  expect(again).toMatchObject({ id: 'model-a', size: 120, part: { version: 'v1', bytes: 300 } });
  const written = await again.written();
  expect(await written.read(0, 120)).toEqual(bytesOf(120));
  await again.write(bytesOf(30));
  expect(again.size).toBe(150);
  await again.begin({ version: 'v2', bytes: 10 });
  expect(again.size).toBe(0);
  await again.write(bytesOf(10));
  expect(await again.commit({ sha256: 'cd', source: model.source })).toMatchObject({ complete: true, bytes: 10 });
});

test.each(places)('a download into %s that brought nothing leaves nothing', async (_, make) => {
  const storage = createModelStorage(make());
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 300 });
  await sink.close();
  expect(await storage.list()).toEqual([]);
});

test.each(places)('deleting from %s waits for what is being written', async (_, make) => {
  const files = make();
  const storage = createModelStorage(files);
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 3000 });
  const writes = [1, 2, 3].map(() => sink.write(bytesOf(500)));
  const deletion = storage.delete(sink.id);
  const late = sink.write(bytesOf(500));
  await Promise.all(writes);
  const error = await rejection(late);
  await deletion;
  expect(error.fault).toBe('deleted');
  expect((await rejection(sink.commit({ sha256: '', source: '' }))).fault).toBe('deleted');
  await sink.close();
  expect(await files.names()).toEqual([]);
});

test.each<WhenFull>(['throws', 'writes less', 'returns an error as a size'])(
  'a full disk that %s costs nothing that is there',
  async (whenFull) => {
    const room = { bytes: 3000 };
    const opfs = fakeOpfs(room, whenFull);
    const quota = { estimate: async () => ({ usage: opfs.usage() * 1e4, quota: room.bytes * 1e4 }) };
    const storage = createModelStorage(opfsFiles(opfs), quota);
    await put(storage, bytesOf(1000), { ...model, source: 'kept' });
    const sink = await storage.sink(model);
    await sink.begin({ version: 'v1', bytes: 4000 });
    await sink.write(bytesOf(1000));
    const error = await rejection(sink.write(bytesOf(3000)));
    expect(error.fault).toBe('quota');
    // The estimate is left out if it has room that the disk does not have.
    const numbers =
      whenFull === 'writes less'
        ? 'has room for 0.0 MB more (30.0 MB of 30.0 MB are used)'
        : `takes no more than the ${megabytes(opfs.usage() * 1e4)} it has`;
    expect(error.message).toBe(
      `The browser ${numbers}, but "Model A" needs another 0.0 MB; delete a stored model or free space on the disk, then try again.`,
    );
    await sink.close();
    const [part, kept] = (await storage.list()).toSorted((a, b) => Number(a.complete) - Number(b.complete));
    expect(kept).toMatchObject({ complete: true, stored: 1000 });
    expect(part.complete).toBe(false);
    expect(part.stored).toBeGreaterThanOrEqual(1000);
    room.bytes = 10_000;
    const again = await storage.sink(model);
    expect(again.size).toBe(part.stored);
    await again.write(bytesOf(4000 - again.size));
    expect((await again.commit({ sha256: 'ef', source: model.source })).stored).toBe(4000);
  },
);

test('a full cache keeps the pieces it has', async () => {
  const room = { bytes: 1500 };
  const storage = createModelStorage(cacheFiles(fakeCache(room), 100));
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 4000 });
  const error = await rejection(
    (async () => {
      for (let i = 0; i < 40; i++) await sink.write(bytesOf(100));
    })(),
  );
  expect(error.fault).toBe('quota');
  expect(error.message).toContain('The browser takes no more than it has, but "Model A" needs another');
  room.bytes = 10_000;
  await sink.close();
  const again = await storage.sink(model);
  expect(again.size).toBeGreaterThan(1000);
  expect(again.size % 100).toBe(0);
});

test('what cannot fit is refused before anything is fetched, and the part that is there stays', async () => {
  let free = 1e9;
  const storage = createModelStorage(memoryFiles(), { estimate: async () => ({ usage: 2e9, quota: 2e9 + free }) });
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 1000 });
  await sink.write(bytesOf(100));
  free = 1e6;
  const error = await rejection(sink.begin({ version: 'v2', bytes: 492_265_874 }));
  expect(error.message).toBe(
    'The browser has room for 1.0 MB more (2000.0 MB of 2001.0 MB are used), but "Model A" needs another 492.3 MB; ' +
      'delete a stored model or free space on the disk, then try again.',
  );
  expect(sink).toMatchObject({ size: 100, part: { version: 'v1' } });
});

test('what a crash leaves is a part, whatever it was writing', async () => {
  const opfs = fakeOpfs();
  const storage = createModelStorage(opfsFiles(opfs));
  await put(storage, bytesOf(1000));
  const mark = opfs.files.get('model-a.json')!;
  for (let cut = 0; cut < mark.length; cut += 7) {
    opfs.files.set('model-a.json', mark.slice(0, cut));
    const [found] = await storage.list();
    expect(found).toMatchObject({ id: 'model-a', complete: false, stored: 1000 });
    await expect(storage.open('model-a')).rejects.toThrow(StorageError);
  }
  // The record is whole, but not the file.
  opfs.files.set('model-a.json', mark);
  opfs.files.set('model-a.bin', bytesOf(900));
  expect(await storage.list()).toMatchObject([{ complete: false, stored: 900, bytes: 1000 }]);
  await storage.delete('model-a');
  // Bytes without any record are no part of anything.
  opfs.files.set('model-a.bin', bytesOf(77));
  expect(await storage.list()).toMatchObject([{ id: 'model-a', name: 'model-a', bytes: null, complete: false }]);
  const sink = await storage.sink({ ...model, source: '' });
  expect(sink).toMatchObject({ size: 0, part: null });
});

test('another tab that writes the model is named', async () => {
  const opfs = fakeOpfs();
  const [tab, otherTab] = [createModelStorage(opfsFiles(opfs)), createModelStorage(opfsFiles(opfs))];
  const sink = await tab.sink(model);
  await sink.begin({ version: 'v1', bytes: 10 });
  await sink.write(bytesOf(5));
  const error = await rejection(otherTab.sink(model));
  expect(error.fault).toBe('busy');
  expect(error.message).toContain('another download or tab');
  expect((await rejection(otherTab.delete(sink.id))).message).toBe(
    '"Model A" is being written by another download or tab; wait for it or stop it first.',
  );
  await sink.write(bytesOf(5));
  expect(await sink.commit({ sha256: '', source: '' })).toMatchObject({ complete: true });
});

test('a model that another tab deletes while it is read is one sentence', async () => {
  const files = cacheFiles(fakeCache(), 100);
  const [tab, otherTab] = [createModelStorage(files), createModelStorage(files)];
  const { id } = await put(tab, bytesOf(1000));
  const open = await tab.open(id);
  await otherTab.delete(id);
  const error = await rejection(open.read(0, 10));
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toBe(
    '"Model A" can no longer be read; was it deleted in another tab? Download or open it again.',
  );
  await expect(open.read(0, 1001)).rejects.toThrow(RangeError);
  expect(await tab.list()).toEqual([]);
  await tab.delete(id);
});

test('the browser’s data cleared during a download is one sentence', async () => {
  const opfs = fakeOpfs();
  const storage = createModelStorage(opfsFiles(opfs));
  const sink = await storage.sink(model);
  await sink.begin({ version: 'v1', bytes: 10 });
  await sink.write(bytesOf(5));
  const source = await sink.written();
  opfs.files.clear();
  expect(await source.read(0, 5)).toEqual(bytesOf(5));
  expect((await rejection(sink.written())).message).toContain('is not stored');
});

const directory = (made: ReturnType<typeof fakeOpfs>) => async () => ({ getDirectoryHandle: async () => made });

test('the first place that can really be written is taken', async () => {
  const caches = { open: async () => fakeCache() };
  const all = { storage: { getDirectory: directory(fakeOpfs()) }, caches };
  expect((await openModelStorage(all)).place).toBe('opfs');
  const full = { storage: { getDirectory: directory(fakeOpfs({ bytes: 0 })) }, caches };
  expect((await openModelStorage(full)).place).toBe('cache');
  // A full place that has models is still the one where they are.
  const room = { bytes: 1e4 };
  const filled = fakeOpfs(room);
  const sink = await createModelStorage(opfsFiles(filled)).sink(model);
  await sink.begin({ version: 'v1', bytes: 5 });
  await sink.write(bytesOf(5));
  await sink.commit({ sha256: 'ab', source: model.source });
  room.bytes = 0;
  const storage = await openModelStorage({ storage: { getDirectory: directory(filled) }, caches });
  expect(storage.place).toBe('opfs');
  expect((await storage.list()).map(({ complete }) => complete)).toEqual([true]);
  const refusing = { storage: { getDirectory: () => Promise.reject(new DOMException('', 'SecurityError')) }, caches };
  expect((await openModelStorage(refusing)).place).toBe('cache');
  expect((await openModelStorage({ caches: { open: async () => fakeCache({ bytes: 0 }) } })).place).toBe('memory');
  expect((await openModelStorage({})).place).toBe('memory');
  // The trial leaves nothing behind.
  expect(await (await openModelStorage(all)).list()).toEqual([]);
});

test('names become file names', async () => {
  const storage = createModelStorage(memoryFiles());
  for (const [name, id] of [
    ['SD 1.5 text encoder, 16 bit', 'sd-1-5-text-encoder-16-bit'],
    ['../..', 'model'],
    ['模型', 'model-2'],
  ]) {
    const sink = await storage.sink({ name, source: name });
    await sink.begin({ version: null, bytes: 1 });
    await sink.write(bytesOf(1));
    expect(sink.id).toBe(id);
    await sink.close();
  }
  expect(megabytes(492_265_874)).toBe('492.3 MB');
});
