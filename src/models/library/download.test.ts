import { createHash } from 'node:crypto';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { expectedTensors } from '../../clip/weights.ts';
import { writeSafetensors } from '../../files/safetensors.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { openCheckpoint } from '../openCheckpoint.ts';
import { fakeCache, fakeOpfs } from '../testing/browserStorage.ts';
import { checkpointBytes } from '../testing/checkpoints.ts';
import { type Fault, type FaultyServer, fastClock, startFaultyServer } from '../testing/faultyServer.ts';
import { type DownloadOptions, type DownloadProgress, download } from './download.ts';
import { DownloadError, type DownloadFault } from './httpSource.ts';
import { createModelStorage } from './openStorage.ts';
import { type ModelStorage, StorageError, type StoredModel } from './storage.ts';
import { cacheFiles, memoryFiles, opfsFiles } from './storageFiles.ts';

const sha256 = () => createHash('sha256');
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** An encoder's own file, a whole checkpoint with that encoder, and a checkpoint with other values. */
let encoder: Uint8Array<ArrayBuffer>;
let checkpoint: Uint8Array<ArrayBuffer>;
let otherCheckpoint: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  const big = (name: string, bytes: number, value: number) => ({
    name,
    dtype: 'F16' as const,
    shape: [bytes / 2],
    data: () => new Uint8Array(bytes).fill(value),
  });
  encoder = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'hf' });
  // In the checkpoint the encoder lies between other tensors; some come before it.
  const extra = [big('a.before', 3 << 19, 1), big('z.after', 3 << 19, 2)];
  checkpoint = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'ldm', extra });
  // The last bit of every number differs, so that no part of one passes for the other.
  const dataStart = 8 + Number(new DataView(checkpoint.buffer).getBigUint64(0, true));
  otherCheckpoint = checkpoint.map((byte, i) => (i >= dataStart && i % 2 === 0 ? byte ^ 1 : byte));
});

let server: FaultyServer;
afterEach(() => server?.close());

async function serve(file: Uint8Array, fault?: (request: number, path: string) => Fault): Promise<string> {
  server = await startFaultyServer(file, fault);
  return `${server.origin}/x/model.safetensors`;
}

const storages: [string, () => ModelStorage][] = [
  ['OPFS', () => createModelStorage(opfsFiles(fakeOpfs()))],
  ['the cache', () => createModelStorage(cacheFiles(fakeCache(), 10_000))],
  ['memory', () => createModelStorage(memoryFiles())],
];

/** Ten seconds of a fast clock, so that a busy machine is not taken for a stalled connection. */
const patience = 1_000_000;

/** Downloads into `storage`, with time running fast. */
async function get(
  storage: ModelStorage,
  url: string | string[],
  options: Partial<DownloadOptions> = {},
): Promise<StoredModel> {
  const into = await storage.sink({ name: 'model', source: typeof url === 'string' ? url : url[0] });
  return download(url, { into, sha256, clock: fastClock(), stallAfter: patience, ...options });
}

async function fault(storage: ModelStorage, url: string | string[], options: Partial<DownloadOptions> = {}) {
  const error = await get(storage, url, options).then(
    () => Promise.reject(new Error('It was downloaded.')),
    (error: unknown) => error as DownloadError,
  );
  // The message must be one sentence.
  expect(error.message).toMatch(/^[^\n]+[^.]\.$/);
  return error;
}

async function stored(storage: ModelStorage, id: string): Promise<Uint8Array> {
  const source = await storage.open(id);
  return source.read(0, source.size);
}

const whole = (file: Uint8Array) => ({ bytes: file.length, sha256: hashOf(file) });

/** Expects the stored file to be a checkpoint of exactly the encoder's tensors in `from`, to the bit. */
async function expectEncoderOf(from: Uint8Array, storage: ModelStorage, id: string): Promise<void> {
  const [made, original] = await Promise.all([
    openCheckpoint(await storage.open(id)),
    openCheckpoint(memorySource(from, 'original')),
  ]);
  expect(made.layout).toEqual(original.layout);
  for (const name of expectedTensors(clipTiny).keys())
    expect(Buffer.compare(await made.read(name), await original.read(name)), name).toBe(0);
  expect(await made.projection?.()).toEqual(await original.projection?.());
}

test.each(storages)('a file is downloaded whole into %s, and verified', async (_, make) => {
  const storage = make();
  const url = await serve(encoder);
  const progress: DownloadProgress[] = [];
  const model = await get(storage, url, { expected: whole(encoder), onProgress: (p) => progress.push(p) });
  expect(model).toMatchObject({ name: 'model', source: url, bytes: encoder.length, complete: true });
  expect(model.sha256).toBe(hashOf(encoder));
  expect(Buffer.compare(await stored(storage, model.id), encoder)).toBe(0);
  expect(progress[0]).toEqual({ done: 0, total: encoder.length, verifying: false });
  const end = { done: encoder.length, total: encoder.length };
  expect(progress.find(({ done }) => done === encoder.length)).toMatchObject({ ...end, verifying: false });
  expect(progress.at(-1)).toMatchObject({ ...end, verifying: true });
  expect(await storage.list()).toEqual([model]);
});

test.each(storages)('of a whole checkpoint only the encoder is fetched into %s', async (_, make) => {
  const storage = make();
  const model = await get(storage, await serve(checkpoint));
  await expectEncoderOf(checkpoint, storage, model.id);
  expect(model.bytes).toBeLessThan(checkpoint.length - (3 << 20));
  expect(model.sha256).toBe(hashOf(await stored(storage, model.id)));
  // Only the first look and the encoder's tensors are fetched, not the tensors around them.
  expect(server.asked.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(model.bytes! + 300_000);
  expect(server.asked.length).toBeLessThan(6);
});

test('an encoder of OpenCLIP’s names, with q, k and v in one tensor, is fetched as it is', async () => {
  const file = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'openclip' });
  const storage = createModelStorage(memoryFiles());
  const model = await get(storage, await serve(file));
  expect(model.stored).toBe(model.bytes);
  await expectEncoderOf(file, storage, model.id);
});

test('an encoder of 64-bit numbers is fetched as it is', async () => {
  const values = (length: number) => Float64Array.from({ length }, (_, i) => (i % 7) / 8);
  const tensors = [...expectedTensors(clipTiny)].map(([name, shape]) => {
    const data = values(shape.reduce((a, b) => a * b, 1));
    return { name, dtype: 'F64' as const, shape, data };
  });
  const file = writeSafetensors(tensors);
  const storage = createModelStorage(memoryFiles());
  const model = await get(storage, await serve(file));
  await expectEncoderOf(file, storage, model.id);
});

test('If-Range is never sent: pages would have to ask for leave first', async () => {
  const url = await serve(encoder, (n) => (n === 1 ? { dropAfter: 50_000 } : {}));
  await get(createModelStorage(memoryFiles()), url, { expected: whole(encoder) });
  expect(server.asked.length).toBeGreaterThan(2);
  expect(server.asked.map(({ ifRange }) => ifRange)).toEqual(server.asked.map(() => null));
});

test.each([0, 1, 65_535, 65_536, 65_537, 150_001])(
  'connections that drop after %i bytes are taken up again',
  async (at) => {
    const storage = createModelStorage(memoryFiles());
    const clock = fastClock();
    let drops = 0;
    const url = await serve(checkpoint, (n) => (n % 2 === 1 && drops++ < 4 ? { dropAfter: at } : {}));
    const model = await get(storage, url, { clock });
    await expectEncoderOf(checkpoint, storage, model.id);
    expect(drops).toBeGreaterThan(0);
  },
);

test('a connection that stays dead is given up after longer and longer waits, and the part is kept', async () => {
  const storage = createModelStorage(memoryFiles());
  const clock = fastClock();
  const url = await serve(encoder, (n) => (n === 0 ? {} : { dropAfter: n === 1 ? 40_000 : 0 }));
  const error = await fault(storage, url, { clock, expected: whole(encoder) });
  expect(error.fault).toBe('dropped');
  expect(error.message).toContain('6 times in a row');
  expect(clock.waits.filter((ms) => ms !== patience)).toEqual([1000, 2000, 4000, 8000, 16_000]);
  const [part] = await storage.list();
  expect(part).toMatchObject({ complete: false, bytes: encoder.length });
  expect(part.stored).toBeGreaterThan(0);
  await expect(storage.open(part.id)).rejects.toThrow('not complete');
});

test('a stall is a dropped connection', async () => {
  const storage = createModelStorage(memoryFiles());
  const clock = fastClock();
  const url = await serve(encoder, (n) => (n === 1 ? { stallAfter: 60_000 } : {}));
  const model = await get(storage, url, { clock, stallAfter: 100_000, expected: whole(encoder) });
  expect(model.sha256).toBe(hashOf(encoder));
  expect(server.asked.length).toBe(3);
  await server.close();
  const dead = await serve(encoder, (n) => (n === 0 ? {} : { stallAfter: 0 }));
  const error = await fault(storage, dead, { clock, stallAfter: 5000, attempts: 3, expected: whole(encoder) });
  expect(error.fault).toBe('stalled');
  expect(error.message).toContain('nothing for 5 seconds, 3 times in a row');
});

test.each([
  ['whole', undefined],
  ['the encoder alone', null],
] as const)('a server without ranges is read through: %s', async (_, expected) => {
  const storage = createModelStorage(memoryFiles());
  const file = expected === null ? checkpoint : encoder;
  const url = await serve(file, () => ({ ignoresRange: true }));
  const model = await get(storage, url, expected === null ? {} : { expected: whole(file) });
  if (expected === null) await expectEncoderOf(file, storage, model.id);
  else expect(Buffer.compare(await stored(storage, model.id), file)).toBe(0);
  expect(server.asked.length).toBeLessThanOrEqual(3);
});

test('a server without ranges that drops is read again from its start, without a splice', async () => {
  const storage = createModelStorage(memoryFiles());
  const url = await serve(checkpoint, (n) => ({ ignoresRange: true, ...(n === 2 && { dropAfter: 2_000_000 }) }));
  const model = await get(storage, url);
  await expectEncoderOf(checkpoint, storage, model.id);
});

test.each(storages)('a pause keeps the part in %s, and going on is byte for byte the same', async (_, make) => {
  const storage = make();
  const reason = new Error('paused');
  const url = await serve(checkpoint);
  const reference = await get(createModelStorage(memoryFiles()), url);
  const total = reference.bytes!;
  let paused = 0;
  for (const stopAt of [1, 20_000, total / 2, total - 200_000]) {
    const abort = new AbortController();
    const pausing = get(storage, url, {
      signal: abort.signal,
      clock: { ...fastClock(), now: () => performance.now() * 1e6 },
      onProgress: ({ done }) => done >= stopAt && done < total && abort.abort(reason),
    });
    await pausing.then(
      () => {},
      (error) => {
        expect(error).toBe(reason);
        paused++;
      },
    );
    if (paused === 0) break;
  }
  expect(paused).toBeGreaterThan(2);
  const [part] = await storage.list();
  expect(part).toMatchObject({ complete: false, bytes: total });
  const before = server.asked.length;
  const model = await get(storage, url);
  expect(model.id).toBe(part.id);
  expect(model.sha256).toBe(reference.sha256);
  const sent = server.asked.slice(before).reduce((sum, asked) => sum + asked.sent, 0);
  expect(sent).toBeLessThan(total - part.stored + 300_000);
  await expectEncoderOf(checkpoint, storage, model.id);
  expect(await storage.list()).toEqual([model]);
});

/** Changes the file after `requests` requests, and drops each later connection to the old one. */
const changing = (requests: number, versions: (n: number) => Fault) => (n: number) =>
  n < requests ? { ...versions(0), ...(n === requests - 1 && { dropAfter: 100_000 }) } : versions(n);

test.each([
  ['ETag', (n: number): Fault => (n === 0 ? {} : { body: otherCheckpoint, etag: '"second"' })],
  [
    'date',
    (n: number): Fault => ({
      etag: null,
      lastModified: n === 0 ? 'Mon, 01 Jan 2024 00:00:00 GMT' : 'Tue, 02 Jan 2024 00:00:00 GMT',
      ...(n > 0 && { body: otherCheckpoint }),
    }),
  ],
])('a file whose %s changes during the download is begun again, never spliced', async (_, versions) => {
  const storage = createModelStorage(memoryFiles());
  const model = await get(storage, await serve(checkpoint, changing(2, versions)));
  await expectEncoderOf(otherCheckpoint, storage, model.id);
});

test('without ETag or date a dropped download is begun again, never spliced', async () => {
  const storage = createModelStorage(memoryFiles());
  const versions = (n: number): Fault => ({ etag: null, ...(n > 0 && { body: otherCheckpoint }) });
  const model = await get(storage, await serve(checkpoint, changing(2, versions)));
  await expectEncoderOf(otherCheckpoint, storage, model.id);
});

test('a file that changed between pause and going on is begun again', async () => {
  const storage = createModelStorage(memoryFiles());
  let changed = false;
  const url = await serve(checkpoint, () =>
    changed ? { body: otherCheckpoint, etag: '"second"' } : { dropAfter: 120_000 },
  );
  await fault(storage, url, { attempts: 1 });
  expect((await storage.list())[0].stored).toBeGreaterThan(0);
  changed = true;
  const model = await get(storage, url);
  await expectEncoderOf(otherCheckpoint, storage, model.id);
});

test('a file that changes at every look is given up', async () => {
  const url = await serve(checkpoint, (n) => ({ etag: `"${n}"` }));
  const error = await fault(createModelStorage(memoryFiles()), url);
  expect(error.fault).toBe('changed');
});

test('a part spliced of two files of one length is found out by its hash and begun again', async () => {
  const storage = createModelStorage(memoryFiles());
  const other = encoder.map((byte) => byte ^ 255);
  const url = await serve(encoder, (n) => (n === 1 ? { body: other, dropAfter: 70_000 } : {}));
  const abort = new AbortController();
  await get(storage, url, {
    expected: whole(encoder),
    signal: abort.signal,
    clock: { ...fastClock(), now: () => performance.now() * 1e6 },
    onProgress: ({ done }) => done > 50_000 && abort.abort(),
  }).catch(() => {});
  expect((await storage.list())[0].stored).toBeGreaterThan(50_000);
  const model = await get(storage, url, { expected: whole(encoder) });
  expect(model.sha256).toBe(hashOf(encoder));
});

test('a file of the right length and the wrong hash is thrown away', async () => {
  const storage = createModelStorage(memoryFiles());
  const url = await serve(encoder.map((byte, i) => (i === 90_000 ? byte ^ 1 : byte)));
  const error = await fault(storage, url, { expected: whole(encoder) });
  expect(error.fault).toBe('wrong hash');
  expect(error.message).toContain(hashOf(encoder).slice(0, 8));
  expect(await storage.list()).toEqual([]);
});

const html = new TextEncoder().encode(`<!doctype html><title>Sign in</title>${' '.repeat(1000)}`);

test.each<[string, Fault, DownloadFault, string]>([
  ['404', { status: 404, body: html, type: 'text/html' }, 'not found', 'There is no file at'],
  ['410', { status: 410 }, 'not found', '(410)'],
  ['401', { status: 401 }, 'gated', 'not open to everyone (401)'],
  ['403', { status: 403 }, 'gated', '(403)'],
  ['500', { status: 500 }, 'server', 'answers 500'],
  ['429', { status: 429 }, 'server', 'try again later'],
  ['400', { status: 400 }, 'refused', 'answers 400'],
  ['a web page', { body: html, type: 'text/html' }, 'not the file', 'is a web page'],
  ['a web page that says it is a file', { body: html }, 'not the file', 'is a web page'],
  [
    'a Git LFS pointer',
    { body: new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:00\n') },
    'not the file',
    'Git LFS pointer',
  ],
  ['nothing', { body: new Uint8Array(0) }, 'not the file', 'is empty'],
  ['nothing, with 200', { body: new Uint8Array(0), ignoresRange: true }, 'not the file', 'is empty'],
  ['a shorter file', { body: new Uint8Array(70_000) }, 'wrong length', '70000 bytes instead of'],
])('%s is one clear sentence', async (_, how, kind, text) => {
  const storage = createModelStorage(memoryFiles());
  const url = await serve(encoder, () => how);
  const error = await fault(storage, url, { expected: whole(encoder) });
  expect(error).toBeInstanceOf(DownloadError);
  expect(error.fault).toBe(kind);
  expect(error.message).toContain(text);
  expect(error.message).not.toContain('undefined');
  expect(await storage.list()).toEqual([]);
});

test('a length that is claimed and not kept is a dropped connection', async () => {
  const url = await serve(encoder, () => ({ claims: encoder.length + 5000 }));
  const expected = { bytes: encoder.length + 5000, sha256: hashOf(encoder) };
  const error = await fault(createModelStorage(memoryFiles()), url, { expected, attempts: 2 });
  expect(error.fault).toBe('dropped');
});

test('a length that is not shown is the expected one, or is asked for in another way', async () => {
  const storage = createModelStorage(memoryFiles());
  const hidden = await serve(encoder, () => ({ hidesLength: true }));
  expect((await get(storage, hidden, { expected: whole(encoder) })).complete).toBe(true);
  const error = await fault(createModelStorage(memoryFiles()), hidden);
  expect(error.fault).toBe('no length');
  await server.close();
  // Content-Range hidden by CORS, Content-Length of the whole readable.
  const url = await serve(checkpoint, () => ({}));
  const hiding: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const headers = new Headers(response.headers);
    headers.delete('content-range');
    return new Response(response.body, { status: response.status, headers });
  };
  const model = await get(storage, url, { fetch: hiding });
  await expectEncoderOf(checkpoint, storage, model.id);
});

test('a server that cannot be reached or keeps pages out (CORS) is named', async () => {
  const refusing: typeof fetch = () => Promise.reject(new TypeError('Failed to fetch'));
  const storage = createModelStorage(memoryFiles());
  const url = 'https://example.com/model.safetensors?key=secret';
  const error = await fault(storage, url, { fetch: refusing });
  expect(error.fault).toBe('unreachable');
  expect(error.message).toContain('example.com cannot be reached, or does not let other pages read its files (CORS)');
  expect(error.message).not.toContain('secret');
  const address = await serve(encoder);
  await server.close();
  expect((await fault(storage, address)).fault).toBe('unreachable');
});

test('a network that comes back during a download is waited for', async () => {
  const storage = createModelStorage(memoryFiles());
  const url = await serve(encoder);
  let calls = 0;
  const flaky: typeof fetch = (input, init) =>
    [2, 3].includes(++calls) ? Promise.reject(new TypeError('Failed to fetch')) : fetch(input, init);
  expect((await get(storage, url, { fetch: flaky, expected: whole(encoder) })).complete).toBe(true);
  expect(calls).toBe(4);
});

test('a busy server is waited for', async () => {
  const url = await serve(encoder, (n) => (n < 2 ? { status: 503 } : n === 3 ? { status: 429 } : {}));
  expect((await get(createModelStorage(memoryFiles()), url, { expected: whole(encoder) })).complete).toBe(true);
});

test('redirects, as the hub makes them to its storage, are followed each time', async () => {
  const cdn = await startFaultyServer(encoder, (n) => (n === 1 ? { dropAfter: 50_000 } : {}));
  try {
    const url = await serve(encoder, (n) => ({ redirect: `${cdn.origin}/blob?signature=${n}` }));
    const model = await get(createModelStorage(memoryFiles()), url, { expected: whole(encoder) });
    expect(model).toMatchObject({ complete: true, source: url });
    expect(cdn.asked.map(({ path }) => path)).toEqual([0, 1, 2].map((n) => `/blob?signature=${n}`));
  } finally {
    await cdn.close();
  }
});

test('a redirect to a file of another host is followed, and one to a page or without end is one sentence', async () => {
  const other = await startFaultyServer(encoder);
  const url = await serve(encoder, (_, path) =>
    path.startsWith('/page') ? { body: html, type: 'text/html' } : { redirect: redirects(path, other.origin) },
  );
  try {
    const model = await get(createModelStorage(memoryFiles()), `${server.origin}/other`, { expected: whole(encoder) });
    expect(model.complete).toBe(true);
    const storage = createModelStorage(memoryFiles());
    expect((await fault(storage, `${server.origin}/login`)).message).toContain('is a web page');
    expect((await fault(storage, url)).fault).toBe('unreachable');
    expect(await storage.list()).toEqual([]);
  } finally {
    await other.close();
  }
});
const redirects = (path: string, other: string) =>
  path === '/other' ? `${other}/model.safetensors` : path === '/login' ? '/page' : path;

test('a length that is smaller than the file is found out by its header, and nothing is stored', async () => {
  const storage = createModelStorage(memoryFiles());
  const url = await serve(encoder, () => ({ claims: encoder.length - 5000 }));
  const error = await get(storage, url).catch((error: unknown) => error as Error);
  expect((error as Error).message).toMatch(/is cut off: its tensors take \d+ bytes, but only \d+ are there\.$/);
  expect(await storage.list()).toEqual([]);
});

test('a file that drips can be paused at any drop, and is gone on with', async () => {
  const storage = createModelStorage(memoryFiles());
  let isSlow = true;
  const url = await serve(encoder, () => (isSlow ? { stallAfter: 100_000, delay: 1 } : {}));
  const abort = new AbortController();
  const dripping = get(storage, url, {
    expected: whole(encoder),
    signal: abort.signal,
    clock: { ...fastClock(), now: () => performance.now() * 1e6 },
    onProgress: ({ done }) => done >= 90_000 && abort.abort(),
  });
  await expect(dripping).rejects.toMatchObject({ name: 'AbortError' });
  const [{ stored, complete }] = await storage.list();
  expect([stored! >= 90_000, complete]).toEqual([true, false]);
  isSlow = false;
  expect((await get(storage, url, { expected: whole(encoder) })).sha256).toBe(hashOf(encoder));
});

test('mirrors are tried in turn, and a part of one is finished by the next', async () => {
  const storage = createModelStorage(memoryFiles());
  await serve(encoder, (n, path) => {
    if (path === '/dead') return { status: 404 };
    if (path === '/broken') return n < 2 ? {} : { dropAfter: n === 2 ? 100_000 : 0 };
    return {};
  });
  const urls = ['/dead', '/broken', '/good'].map((path) => server.origin + path);
  const model = await get(storage, urls, { expected: whole(encoder), attempts: 2 });
  expect(model).toMatchObject({ complete: true, source: urls[2], sha256: hashOf(encoder) });
  expect(server.asked.at(-1)!.range).toMatch(/^bytes=[1-9]\d{4,}-/);
  const error = await fault(storage, [urls[0], 'nonsense'], { expected: whole(encoder) });
  expect(error.message).toMatch(/^None of 2 addresses could be used; of the first: There is no file at/);
});

test('what is no address and what has no encoder is refused before anything is stored', async () => {
  const storage = createModelStorage(memoryFiles());
  for (const address of ['', 'model.safetensors', 'file:///etc/passwd', 'javascript:alert(1)'])
    expect((await fault(storage, address)).fault).toBe('address');
  const lora = writeSafetensors([{ name: 'lora_x', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
  expect((await fault(storage, await serve(lora))).message).toContain('is a LoRA');
  expect(await storage.list()).toEqual([]);
});

test.each(storages)('two downloads at once into %s do not mix', async (_, make) => {
  const storage = make();
  await serve(encoder, (n, path) => ({
    ...(path === '/b' && { body: checkpoint }),
    ...(n < 4 && { dropAfter: 80_000 }),
  }));
  const [a, b] = await Promise.all([
    get(storage, `${server.origin}/a`, { expected: whole(encoder) }),
    get(storage, `${server.origin}/b`, { expected: whole(checkpoint) }),
  ]);
  expect(a.id).not.toBe(b.id);
  expect(Buffer.compare(await stored(storage, a.id), encoder)).toBe(0);
  expect(Buffer.compare(await stored(storage, b.id), checkpoint)).toBe(0);
});

test.each(storages)('the same download twice at once into %s is refused, and the first goes on', async (_, make) => {
  const storage = make();
  const url = await serve(encoder);
  const results = await Promise.allSettled([
    get(storage, url, { expected: whole(encoder) }),
    get(storage, url, { expected: whole(encoder) }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  const [, refused] = results as [unknown, PromiseRejectedResult];
  expect(refused.reason).toMatchObject({ name: 'StorageError', fault: 'busy' });
  expect(await storage.list()).toMatchObject([{ complete: true }]);
});

test.each(storages)(
  'a model deleted from %s during its download is gone, and the download says so',
  async (_, make) => {
    const storage = make();
    const url = await serve(encoder);
    const into = await storage.sink({ name: 'model', source: url });
    let deletion: Promise<void> | undefined;
    const error = await download(url, {
      into,
      sha256,
      stallAfter: patience,
      clock: { ...fastClock(), now: () => performance.now() * 1e6 },
      expected: whole(encoder),
      onProgress({ done }) {
        if (done > 50_000) deletion ??= storage.delete(into.id);
      },
    }).catch((error: unknown) => error);
    await deletion;
    expect(error).toBeInstanceOf(StorageError);
    expect((error as StorageError).fault).toBe('deleted');
    expect(await storage.list()).toEqual([]);
    expect((await get(storage, url, { expected: whole(encoder) })).complete).toBe(true);
  },
);

test('the speed is that of the last seconds', async () => {
  let time = 0;
  const speeds: (number | undefined)[] = [];
  const url = await serve(encoder);
  await get(createModelStorage(memoryFiles()), url, {
    expected: whole(encoder),
    clock: {
      now() {
        time += 1000;
        return time;
      },
      wait: fastClock().wait,
    },
    onProgress: ({ verifying, bytesPerSecond }) => verifying || speeds.push(bytesPerSecond),
  });
  expect(speeds[0]).toBeUndefined();
  expect(speeds.at(-1)).toBeGreaterThan(1000);
  expect(speeds.at(-1)).toBeLessThan(1e6);
});
