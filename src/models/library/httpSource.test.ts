import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { spySource } from '../../files/testing/faultySources.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import fc from '../../properties.ts';
import { openCheckpoint } from '../openCheckpoint.ts';
import { syntheticWeights } from '../synthetic.ts';
import { checkpointBytes, type LayoutName, layouts } from '../testing/checkpoints.ts';
import { type Fault, type FaultyServer, fastClock, startFaultyServer } from '../testing/faultyServer.ts';
import { coalesce, encoderPlan } from './downloadPlan.ts';
import { DownloadError, openHttpSource, systemClock } from './httpSource.ts';

const file = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);

let server: FaultyServer;
afterEach(() => server?.close());

async function open(fault?: (n: number) => Fault, body: Uint8Array = file) {
  server = await startFaultyServer(body, fault);
  return openHttpSource(`${server.origin}/m%20x.safetensors?key=1`, { clock: fastClock(), stallAfter: 1_000_000 });
}

test('a file is known after one request, and read by its ranges', async () => {
  const source = await open();
  expect(source).toMatchObject({ name: 'm x.safetensors', size: file.length, ranges: true, version: 'ETag "first"' });
  expect(server.asked.map(({ range }) => range)).toEqual(['bytes=0-65535']);
  expect(await source.read(100, 200)).toEqual(file.slice(100, 200));
  expect(await source.read(0, 0)).toEqual(new Uint8Array(0));
  expect(server.asked.length).toBe(1);
  expect(await source.read(65_000, 70_000)).toEqual(file.slice(65_000, 70_000));
  expect(server.asked.at(-1)!.range).toBe('bytes=65000-69999');
  expect(await source.read(299_999, 300_000)).toEqual(file.slice(299_999));
  await expect(source.read(0, 300_001)).rejects.toThrow(RangeError);
});

test('what was read is the reader’s own', async () => {
  const source = await open();
  (await source.read(0, 10)).fill(0);
  expect(await source.read(0, 10)).toEqual(file.slice(0, 10));
});

test('a small file comes whole with the first request', async () => {
  const source = await open(undefined, file.subarray(0, 1000));
  expect(source.size).toBe(1000);
  expect(await source.read(0, 1000)).toEqual(file.slice(0, 1000));
  expect(server.asked.length).toBe(1);
});

test('a weak ETag promises nothing of the bytes', async () => {
  const lastModified = 'Mon, 01 Jan 2024 00:00:00 GMT';
  expect((await open(() => ({ etag: 'W/"first"', lastModified }))).version).toBe(`Last-Modified ${lastModified}`);
  await server.close();
  expect((await open(() => ({ etag: 'W/"first"' }))).version).toBeNull();
});

test('reads outlive dropped connections, but not a change of the file', async () => {
  const source = await open((n) => (n > 0 && n < 4 ? { dropAfter: 20_000 } : {}));
  expect(await source.read(66_000, 250_000)).toEqual(file.slice(66_000, 250_000));
  await server.close();
  const changing = await open((n) => (n === 1 ? { dropAfter: 20_000 } : n > 1 ? { etag: '"second"' } : {}));
  const error = await changing.read(66_000, 250_000).catch((error: unknown) => error as DownloadError);
  expect(error).toBeInstanceOf(DownloadError);
  expect(error).toMatchObject({ fault: 'changed' });
});

test('a server without ranges is read into, and left as soon as it can be', async () => {
  const big = new Uint8Array(40_000_000);
  big.set(file);
  const source = await open(() => ({ ignoresRange: true }), big);
  expect(source).toMatchObject({ ranges: false, size: big.length });
  expect(await source.read(100_000, 200_000)).toEqual(file.slice(100_000, 200_000));
  await expect(source.read(39_000_000, 39_000_001)).rejects.toThrow(
    /^127\.0\.0\.1:\d+ sends 127\.0\.0\.1:\d+\/m%20x\.safetensors only as a whole; download it first\.$/,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const { sent } of server.asked) expect(sent).toBeLessThan(20_000_000);
});

test('a file that unpacks without end on its way is left after its first bytes', async () => {
  const zeros = gzipSync(Buffer.alloc(50_000_000));
  let isLeft = () => {};
  const left = new Promise<void>((resolve) => {
    isLeft = resolve;
  });
  const endless = createServer((_, response) => {
    response.on('close', isLeft);
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' });
    // Members of a gzip file follow each other.
    const send = () => response.destroyed || response.write(zeros, send);
    send();
  });
  await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
  const { port } = endless.address() as AddressInfo;
  try {
    const opening = openHttpSource(`http://127.0.0.1:${port}/x.safetensors`, { clock: fastClock(), stallAfter: 1e6 });
    await expect(opening).rejects.toMatchObject({ fault: 'no length' });
    await left;
  } finally {
    endless.close();
  }
});

test('an abort ends with its reason, before, during and between connections', async () => {
  const reason = new Error('no longer wanted');
  const source = await open((n) => (n > 0 ? { stallAfter: 1000 } : {}));
  await expect(source.read(70_000, 200_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  const abort = new AbortController();
  const reading = source.read(70_000, 200_000, abort.signal);
  setTimeout(() => abort.abort(reason), 30);
  await expect(reading).rejects.toBe(reason);
  const opening = openHttpSource(`${server.origin}/x`, { signal: AbortSignal.abort(reason) });
  await expect(opening).rejects.toBe(reason);
  await server.close();
  const down = await startFaultyServer(file, () => ({ status: 503 }));
  const waiting = new AbortController();
  setTimeout(() => waiting.abort(reason), 50);
  await expect(openHttpSource(`${down.origin}/x`, { signal: waiting.signal })).rejects.toBe(reason);
  await down.close();
});

test('the system’s clock waits, and stops waiting', async () => {
  const start = systemClock.now();
  await systemClock.wait(20);
  expect(systemClock.now() - start).toBeGreaterThanOrEqual(15);
  const reason = new Error('enough');
  const abort = new AbortController();
  const long = systemClock.wait(1e6, abort.signal);
  abort.abort(reason);
  await expect(long).rejects.toBe(reason);
  await expect(systemClock.wait(1, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('ranges that lie close are joined, and none is lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 20 })), { maxLength: 20 }),
      fc.nat(10),
      (pairs, gap) => {
        const ranges = pairs.map(([start, length]) => ({ start, end: start + length }));
        const joined = coalesce(ranges, gap);
        for (const { start, end } of ranges)
          expect(joined.filter((range) => range.start <= start && end <= range.end).length).toBe(1);
        for (const [i, { start }] of joined.entries())
          if (i > 0) expect(start - joined[i - 1].end).toBeGreaterThan(gap);
        for (const { start, end } of joined) {
          expect(ranges.some((range) => range.start === start)).toBe(true);
          expect(ranges.some((range) => range.end === end)).toBe(true);
        }
      },
    ),
  );
});

test.each(['hf', 'hf-bare', 'ldm', 'ldm-bare', 'sdxl', 'sd3'] as LayoutName[])(
  'a plan of layout %s makes a checkpoint out of another, and reads only its header',
  async (layout) => {
    const bytes = await checkpointBytes({ config: clipTiny, dtype: 'BF16', layout });
    const source = spySource(memorySource(bytes, 'all.safetensors'));
    const plan = await encoderPlan(source);
    expect(Math.max(...source.reads.map(([, end]) => end))).toBeLessThanOrEqual(plan.ranges[0].start);
    const made = Buffer.concat([plan.header, ...plan.ranges.map(({ start, end }) => bytes.subarray(start, end))]);
    expect(made.length).toBe(plan.bytes);
    const checkpoint = await openCheckpoint(memorySource(made, 'made.safetensors'));
    expect(checkpoint.layout).toEqual(layouts[layout]);
    const original = syntheticWeights(clipTiny, { dtype: 'BF16' });
    const table = 'text_model.embeddings.token_embedding.weight';
    expect(Buffer.compare(await checkpoint.read(table), await original.read(table))).toBe(0);
  },
);
