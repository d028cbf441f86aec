import { expect, test } from 'vitest';
import { blobSource, SourceError } from './sources.ts';

const size = 56 << 20;
const bytes = new Uint8Array(size).map((_, i) => i % 251);
/** Compares bytes; toEqual would take minutes for so many. */
const isFrom = (got: Uint8Array, start: number) => Buffer.from(bytes.buffer, start, got.length).equals(got);

/** Makes a file that counts its reads. */
function countedFile() {
  const reads: [number, number][] = [];
  class Counted extends File {
    override slice(start = 0, end = this.size): Blob {
      reads.push([start, end]);
      return super.slice(start, end);
    }
  }
  return { reads, file: new Counted([bytes], 'mine.safetensors') };
}

test('what is asked for together and lies side by side is read in one piece, and each read has its own bytes', async () => {
  const { reads, file } = countedFile();
  const source = blobSource(file);
  const ranges = [
    [900, 1000],
    [100, 500],
    [500, 900],
    [300, 400],
    [0, 0],
    [1000 + (1 << 12), 5000 + (1 << 12)],
    [1e6, 2e6],
  ] as const;
  const got = await Promise.all(ranges.map(([start, end]) => source.read(start, end)));
  expect(reads).toEqual([
    [0, 5000 + (1 << 12)],
    [1e6, 2e6],
  ]);
  for (const [i, [start, end]] of ranges.entries()) {
    expect(got[i].length).toBe(end - start);
    expect(isFrom(got[i], start)).toBe(true);
    // Each read has memory of its own: changing one must not change another.
    expect(got.filter(({ buffer }) => buffer === got[i].buffer)).toHaveLength(1);
  }
});

test('a piece is at most 16 MB, and what is larger is read alone; what is asked for later is read later', async () => {
  const { reads, file } = countedFile();
  const source = blobSource(file);
  const half = 8 << 20;
  const together = [0, 1, 2, 3].map((i) => source.read(i * half, (i + 1) * half));
  const large = source.read(4 * half, 7 * half);
  for (const [i, got] of (await Promise.all(together)).entries()) {
    expect(got.length).toBe(half);
    expect(isFrom(got, i * half)).toBe(true);
  }
  expect((await large).length).toBe(3 * half);
  expect(reads).toEqual([
    [0, 2 * half],
    [2 * half, 4 * half],
    [4 * half, 7 * half],
  ]);
  reads.length = 0;
  await source.read(0, 10);
  await source.read(10, 20);
  expect(reads).toEqual([
    [0, 10],
    [10, 20],
  ]);
});

test('a read that was given up, or is past the end, does not touch those beside it; a file that is gone ends all', async () => {
  const { file } = countedFile();
  const source = blobSource(file);
  const abort = new AbortController();
  const [one, two, three] = [source.read(0, 10, abort.signal), source.read(10, 20), source.read(20, size + 1)];
  abort.abort();
  const settled = await Promise.allSettled([one, two, three]);
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  expect((settled[2] as PromiseRejectedResult).reason).toBeInstanceOf(RangeError);

  const gone = new File([bytes.subarray(0, 100)], 'gone.bin');
  gone.slice = () => Object.assign(new Blob(), { arrayBuffer: () => Promise.reject(new Error('NotReadableError')) });
  const reads = [blobSource(gone).read(0, 10), blobSource(gone).read(10, 20)];
  for (const { status, ...rest } of await Promise.allSettled(reads)) {
    expect(status).toBe('rejected');
    expect((rest as PromiseRejectedResult).reason).toBeInstanceOf(SourceError);
  }
});
