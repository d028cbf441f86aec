import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { openSafetensors, SafetensorsError, safetensorsHeader, writeSafetensors } from './safetensors.ts';
import { blobSource, SourceError } from './sources.ts';
import { dtypeBytes, type TensorDtype } from './tensorFile.ts';
import { spySource, zeroSource } from './testing/faultySources.ts';
import { memorySource } from './testing/memorySource.ts';

const encoded = (text: string) => new TextEncoder().encode(text);

/** Makes a file of this header, as given, and so many bytes of data. */
function file(header: string | Uint8Array, dataBytes = 0, headerBytes?: bigint): Uint8Array {
  const json = typeof header === 'string' ? encoded(header) : header;
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, headerBytes ?? BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

/** Makes a file of one tensor "a"; undefined fields are left out. */
const one = (fields: Record<string, unknown>, dataBytes = 8) =>
  file(JSON.stringify({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } }), dataBytes);

const good = writeSafetensors(
  [
    { name: 'b', dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0x4000, 0x4200) },
    { name: 'a', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    { name: 'ids', dtype: 'I64', shape: [1, 2], data: BigInt64Array.of(5n, -6n) },
    { name: 'scalar', dtype: 'F32', shape: [], data: Float32Array.of(0.5) },
    { name: 'none', dtype: 'U8', shape: [0, 7], data: new Uint8Array(0) },
  ],
  { format: 'pt', note: 'ein Löwe “🦁”' },
);

const goodDataBytes = 42;
const goodHeaderEnd = good.length - goodDataBytes;

test.each([
  ['memory', memorySource(good, 'x.safetensors')],
  ['a file', blobSource(new File([good], 'x.safetensors'))],
  ['a blob', blobSource(new Blob([good]), 'x.safetensors')],
])('what was written is read back from %s', async (_, source) => {
  const { metadata, tensors, format, source: from } = await openSafetensors(source);
  expect(format).toBe('safetensors');
  expect(from.name).toBe('x.safetensors');
  expect(Object.fromEntries(metadata)).toEqual({ format: 'pt', note: 'ein Löwe “🦁”' });
  expect([...tensors.keys()]).toEqual(['ids', 'a', 'scalar', 'b', 'none']);
  const read = async (name: string) => (await tensors.get(name)!.read()).buffer;
  expect(tensors.get('a')).toMatchObject({ dtype: 'F32', shape: [2, 2] });
  expect(Array.from(new Float32Array(await read('a')))).toEqual([1, 2, 3, 4]);
  expect(Array.from(new Uint16Array(await read('b')))).toEqual([0x3c00, 0x4000, 0x4200]);
  expect(Array.from(new BigInt64Array(await read('ids')))).toEqual([5n, -6n]);
  expect(Array.from(new Float32Array(await read('scalar')))).toEqual([0.5]);
  expect((await read('none')).byteLength).toBe(0);
});

test('rows are read by themselves, and rows that are not there are refused', async () => {
  const source = spySource(memorySource(good));
  const a = (await openSafetensors(source)).tensors.get('a')!;
  const before = source.reads.length;
  expect(Array.from(new Float32Array((await a.read(undefined, { start: 1, end: 2 })).buffer))).toEqual([3, 4]);
  const [[start, end]] = source.reads.slice(before);
  expect(end - start).toBe(8);
  for (const rows of [
    { start: 0, end: 3 },
    { start: -1, end: 1 },
    { start: 2, end: 1 },
  ])
    expect(() => a.read(undefined, rows)).toThrow('a tensor of 2 rows');
});

test('the bytes that are read are the reader’s own', async () => {
  const bytes = good.slice();
  const a = (await openSafetensors(memorySource(bytes))).tensors.get('a')!;
  (await a.read()).fill(255);
  expect(bytes).toEqual(good);
});

test('of a 3 GB file only the header and what is asked for is read', async () => {
  const specs = Array.from({ length: 1000 }, (_, i) => ({
    name: `model.diffusion_model.block.${i}.weight`,
    dtype: 'F16' as const,
    shape: [1280, 1280],
  }));
  const headerBytes = safetensorsHeader(specs).header.length;
  const source = spySource(zeroSource(specs));
  expect(source.size).toBeGreaterThan(3e9);
  const bytesRead = () => source.reads.reduce((sum, [start, end]) => sum + end - start, 0);
  const { tensors } = await openSafetensors(source);
  expect(tensors.size).toBe(1000);
  expect(bytesRead()).toBeLessThanOrEqual(headerBytes + 64);
  expect(Math.max(...source.reads.map(([, end]) => end))).toBeLessThanOrEqual(headerBytes);
  const opened = bytesRead();
  await tensors.get('model.diffusion_model.block.999.weight')!.read(undefined, { start: 1279, end: 1280 });
  expect(bytesRead() - opened).toBe(2560);
});

test('an aborted read rejects with the signal’s reason', async () => {
  const reason = new Error('no longer wanted');
  await expect(openSafetensors(memorySource(good), AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(openSafetensors(blobSource(new Blob([good])), AbortSignal.abort(reason))).rejects.toBe(reason);
  const { tensors } = await openSafetensors(memorySource(good));
  await expect(tensors.get('a')!.read(AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('a file that changed since it was opened is named', async () => {
  const gone = {
    size: 20,
    slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('', 'NotReadableError')) }),
  };
  const short = { size: 20, slice: () => new Blob([new Uint8Array(3)]) };
  for (const blob of [gone, short] as unknown as Blob[]) {
    const error = await openSafetensors(blobSource(blob, 'moved.safetensors')).catch((e) => e);
    expect(error).toBeInstanceOf(SourceError);
    expect(error.message).toContain('"moved.safetensors"');
  }
});

test('a source is never read outside its bounds', async () => {
  for (const source of [memorySource(good), blobSource(new Blob([good]))])
    for (const [start, end] of [
      [-1, 4],
      [8, 4],
      [0, good.length + 1],
      [Number.NaN, 4],
    ])
      await expect(source.read(start, end)).rejects.toThrow(RangeError);
});

test('headers begin with {" as A1111 demands, and data begin at a multiple of 8', () => {
  for (const metadata of [{}, { format: 'pt' }] as Record<string, string>[]) {
    const { header } = safetensorsHeader([{ name: 'x', dtype: 'F16', shape: [1] }], metadata);
    expect(new TextDecoder().decode(header.subarray(8, 10))).toBe('{"');
    expect(header.length % 8).toBe(0);
  }
});

test('every tensor is aligned to its type', () => {
  const dtypes = Object.keys(dtypeBytes) as TensorDtype[];
  const { header, order } = safetensorsHeader(dtypes.map((dtype) => ({ name: dtype, dtype, shape: [3] })));
  const entries = JSON.parse(new TextDecoder().decode(header.subarray(8)));
  expect(order).toHaveLength(dtypes.length);
  for (const { dtype } of order) expect(entries[dtype].data_offsets[0] % dtypeBytes[dtype], dtype).toBe(0);
});

test('data of the wrong length are not written', () => {
  const write = () => writeSafetensors([{ name: 'x', dtype: 'F32', shape: [2], data: new Float32Array(3) }]);
  expect(write).toThrow('Tensor "x" has 12 bytes');
});

test('names that are properties of every object are names like any other', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '1', '"quoted"', 'ünïcödé 🦁', ''];
  const bytes = writeSafetensors(
    names.map((name, i) => ({ name, dtype: 'U8', shape: [1], data: Uint8Array.of(i) })),
    { ['__proto__']: 'meta' },
  );
  const { tensors, metadata } = await openSafetensors(memorySource(bytes));
  expect(new Set(tensors.keys())).toEqual(new Set(names));
  for (const [i, name] of names.entries()) expect(await tensors.get(name)!.read()).toEqual(Uint8Array.of(i));
  expect(metadata.get('__proto__')).toBe('meta');
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});

test('a file whose header length looks like another format’s first bytes is still read', async () => {
  // 35615 is 1f 8b (gzip), 1152 is 80 04 (pickle), 0x2f8b1f as well, three bytes long.
  for (const length of [35615, 1152, 0x2f8b1f]) {
    const bytes = file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`.padEnd(length), 1);
    expect((await openSafetensors(memorySource(bytes))).tensors.size).toBe(1);
  }
});

test.each<[string, Uint8Array, string]>([
  ['an empty file', new Uint8Array(0), 'is empty'],
  ['three bytes', Uint8Array.of(1, 2, 3), 'is not a safetensors file: it has only 3 bytes'],
  ['zeros', new Uint8Array(100), 'is not a safetensors file'],
  ['text', encoded('Once upon a time there was a text encoder.'), 'is not a safetensors file'],
  [
    'a zip',
    Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0),
    "is a zip archive, as PyTorch's .ckpt, .pt and .bin files are, not a safetensors file",
  ],
  [
    'an old .ckpt',
    Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20),
    'is a Python pickle, as old .ckpt, .pt and .bin files are, not a safetensors file',
  ],
  [
    'a PNG',
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0),
    'is a picture, not a safetensors file',
  ],
  [
    'a JPEG',
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46),
    'is a picture, not a safetensors file',
  ],
  [
    'a GGUF file',
    encoded('GGUF\x03\0\0\0\0\0\0\0'),
    'is a GGUF file, whose weights of few bits are not read; open the safetensors file it was made from',
  ],
  [
    'an HDF5 file',
    Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0),
    'is an HDF5 file, not a safetensors file',
  ],
  [
    'a NumPy array',
    Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0x76, 0),
    'is a NumPy array, not a set of named tensors',
  ],
  ['a gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), 'is compressed; unpack it first'],
  [
    'a web page',
    encoded('\ufeff\n  <!DOCTYPE html><html><head>'),
    'is a web page: the download was answered with HTML instead of the file',
  ],
  [
    'an LFS pointer',
    encoded('version https://git-lfs.github.com/spec/v1\noid sha256:'),
    'is a Git LFS pointer of a few lines, not the file it stands for',
  ],
  [
    'only a length',
    good.slice(0, 8),
    `is cut off: its header ends at byte ${goodHeaderEnd}, but the file has only 8 bytes`,
  ],
  [
    'half a header',
    good.slice(0, 50),
    `is cut off: its header ends at byte ${goodHeaderEnd}, but the file has only 50 bytes`,
  ],
  ['half the data', good.slice(0, -20), 'is cut off: its tensors take 42 bytes, but only 22 are there'],
  ['a 10 GB header', file('{"a":1}', 0, 10_000_000_000n), 'claims a header of 10000000000 bytes, which no model needs'],
  [
    'a header of 2⁶⁴ − 1',
    file('{"a":1}', 0, 2n ** 64n - 1n),
    'claims a header of 18446744073709551615 bytes, which no model needs',
  ],
  [
    'a header just past the limit',
    file('{"a":1}', 0, 16_777_217n),
    'claims a header of 16777217 bytes, which no model needs',
  ],
  [
    'a header at the limit, not there',
    file('{"a":1}', 0, 16_777_216n),
    'is cut off: its header ends at byte 16777224, but the file has only 15 bytes',
  ],
  ['an empty header', file('{}', 0, 0n), 'is not a safetensors file'],
  ['a header that is no object', file('["a"]'), 'is not a safetensors file'],
  ['a header that is a number', file('12'), 'is not a safetensors file'],
  ['a header after a space', file(' {"a":1}'), 'is not a safetensors file'],
  ['a header that is no JSON', file("{'a': 1}"), 'has a header that is not valid JSON'],
  ['a header cut short', file('{"a":{"dtype":"F32"'), 'has a header that is not valid JSON'],
  ['a header within a string', file('{"a\\'), 'has a header that is not valid JSON'],
  ['a header with a bad escape', file('{"\\x":1}'), 'has a header that is not valid JSON'],
  ['a header and more', file('{}{}'), 'has a header that is not valid JSON'],
  [
    'a header that is not UTF-8',
    file(Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d)),
    'has a header that is not UTF-8 text',
  ],
  [
    'a name twice',
    file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', 1),
    'has a header that names "a" twice',
  ],
  ['a name twice, spelt differently', file('{"a":{},"\\u0061":{}}'), 'has a header that names "a" twice'],
  [
    'a field twice',
    file('{"a":{"dtype":"U8","shape":[1],"shape":[2],"data_offsets":[0,1]}}', 1),
    'has a header that names "shape" twice',
  ],
  ['metadata twice', file('{"__metadata__":{"k":"1","k":"2"}}'), 'has a header that names "k" twice'],
  ['a deep header', file(`{"a":${'['.repeat(100_000)}`), 'has a header that is nested too deeply'],
  [
    'a deep header that closes first',
    file(`{}${'}'.repeat(9)}${'['.repeat(9)}`),
    'has a header that is not valid JSON',
  ],
  [
    'overlapping tensors',
    file(
      '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
      6,
    ),
    'has overlapping tensors: "a" and "b" share bytes',
  ],
  [
    'tensors that share all',
    file(
      '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
      4,
    ),
    'has overlapping tensors: "a" and "b" share bytes',
  ],
  [
    'a hole',
    file(
      '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[6,10]}}',
      10,
    ),
    'has a hole of 2 bytes before tensor "b"',
  ],
  ['a hole at the start', one({ data_offsets: [4, 12] }, 12), 'has a hole of 4 bytes before tensor "a"'],
  [
    'trailing bytes',
    one({}, 11),
    'has 3 bytes after its last tensor that belong to none: ComfyUI passes over them, A1111 and diffusers refuse the file',
  ],
  [
    'offsets past the end',
    one({ shape: [2 ** 40], data_offsets: [0, 2 ** 42] }),
    'is cut off: its tensors take 4398046511104 bytes, but only 8 are there',
  ],
  [
    'an end before the start',
    one({ data_offsets: [8, 0] }),
    'gives tensor "a" the data_offsets [8,0], which are not a start and an end',
  ],
  [
    'a negative offset',
    one({ data_offsets: [-8, 0] }),
    'gives tensor "a" the data_offsets [-8,0], which are not a start and an end',
  ],
  [
    'a fractional offset',
    one({ data_offsets: [0, 8.5] }),
    'gives tensor "a" the data_offsets [0,8.5], which are not a start and an end',
  ],
  [
    'a huge offset',
    one({ data_offsets: [0, 1e300] }),
    'gives tensor "a" the data_offsets [0,1e+300], which are not a start and an end',
  ],
  [
    'an offset past 2⁵³',
    one({ data_offsets: [0, 2 ** 53] }),
    'gives tensor "a" the data_offsets [0,9007199254740992], which are not a start and an end',
  ],
  [
    'three offsets',
    one({ data_offsets: [0, 8, 8] }),
    'gives tensor "a" the data_offsets [0,8,8], which are not a start and an end',
  ],
  [
    'offsets that are texts',
    one({ data_offsets: ['0', '8'] }),
    'gives tensor "a" the data_offsets ["0","8"], which are not a start and an end',
  ],
  ['a byte too many', one({ data_offsets: [0, 9] }, 9), 'gives tensor "a" 9 bytes, but F32 [2] takes 8'],
  ['another type’s bytes', one({ dtype: 'F16' }), 'gives tensor "a" 8 bytes, but F16 [2] takes 4'],
  [
    'a shape whose product overflows',
    one({ shape: [2 ** 40, 2 ** 40] }),
    'gives tensor "a" 8 bytes, but F32 [1099511627776,1099511627776] takes 4.835703278458517e+24',
  ],
  ['a negative size', one({ shape: [-2, -1] }), 'gives tensor "a" the shape [-2,-1], which is not a list of sizes'],
  ['a nested shape', one({ shape: [2, 'x'] }), 'gives tensor "a" the shape [2,"x"], which is not a list of sizes'],
  ['a type that is a sentence', one({ dtype: 'F 12' }), 'stores tensor "a" as "F 12", which is not a type'],
  ['no dtype', one({ dtype: undefined }), 'describes tensor "a" without a dtype, a shape and data_offsets'],
  ['no shape', one({ shape: undefined }), 'describes tensor "a" without a dtype, a shape and data_offsets'],
  ['no offsets', one({ data_offsets: undefined }), 'describes tensor "a" without a dtype, a shape and data_offsets'],
  ['a tensor that is null', file('{"a":null}'), 'describes tensor "a" without a dtype, a shape and data_offsets'],
  ['a tensor that is a number', file('{"a":7}'), 'describes tensor "a" without a dtype, a shape and data_offsets'],
  [
    'a tensor that is only a prototype',
    file('{"a":{"__proto__":{"dtype":"U8"}}}'),
    'describes tensor "a" without a dtype, a shape and data_offsets',
  ],
  [
    '__proto__ that is no tensor',
    file('{"__proto__":{"dtype":"U8","shape":[]}}'),
    'describes tensor "__proto__" without a dtype, a shape and data_offsets',
  ],
  ['metadata that are not text', file('{"__metadata__":{"format":1}}'), 'has metadata "format" that is not text'],
  ['metadata that are a text', file('{"__metadata__":"pt"}'), 'has __metadata__ that is not an object'],
  ['metadata that are a list', file('{"__metadata__":["pt"]}'), 'has __metadata__ that is not an object'],
  [
    'a name as long as a book',
    file(JSON.stringify({ ['x'.repeat(5000)]: 1 })),
    `describes tensor "${'x'.repeat(100)}…" without a dtype, a shape and data_offsets`,
  ],
  [
    'a name with a line break',
    file(JSON.stringify({ 'a\n"b"': 1 })),
    'describes tensor "a\\n\\"b\\"" without a dtype, a shape and data_offsets',
  ],
])('%s is refused in one sentence', async (_, bytes, why) => {
  const error = await openSafetensors(memorySource(bytes, 'model.safetensors')).catch((e) => e);
  expect(error).toBeInstanceOf(SafetensorsError);
  expect(error.message).toBe(`"model.safetensors" ${why}.`);
});

test('a valid file with nothing in it is a valid file', async () => {
  for (const bytes of [file('{}'), file('{}      '), file('{"__metadata__":null}'), writeSafetensors([])])
    expect((await openSafetensors(memorySource(bytes))).tensors.size).toBe(0);
});

test('a header that lies about its size costs no memory', async () => {
  const source = spySource(memorySource(file('{"a":1}', 0, 99_999_999n)));
  await expect(openSafetensors(source)).rejects.toThrow(SafetensorsError);
  expect(Math.max(...source.reads.map(([, end]) => end))).toBeLessThanOrEqual(source.size);
});

test('flipped, cut or added bytes end in a SafetensorsError or in tensors that lie within the file', async () => {
  // Most flips hit the header, since a flip in the data changes nothing here.
  const at = fc.oneof({ weight: 4, arbitrary: fc.nat(goodHeaderEnd - 1) }, fc.nat(good.length - 1));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.option(fc.nat(good.length)),
      fc.uint8Array({ maxLength: 8 }),
      async (flips, cut, tail) => {
        const body = good.slice(0, cut ?? good.length);
        for (const [i, byte] of flips) if (i < body.length) body[i] = byte;
        const source = spySource(memorySource(new Uint8Array([...body, ...(cut === null ? [] : tail)])));
        try {
          const { tensors } = await openSafetensors(source);
          for (const { read, bytes } of tensors.values()) expect((await read()).length).toBe(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
        // memorySource throws another error for bytes outside the file.
        expect(source.reads.every(([start, end]) => start <= end && end <= source.size)).toBe(true);
      },
    ),
    { numRuns: 3000 },
  );
});

test('any header of JSON ends in a SafetensorsError or in tensors', async () => {
  const size = fc.oneof(fc.nat(20), fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 53, 1e300, null, 'x'));
  const entry = fc.record(
    {
      dtype: fc.oneof(fc.constantFrom('F32', 'F16', 'I64', 'U8', '__proto__'), fc.string(), fc.integer()),
      shape: fc.oneof(fc.array(size, { maxLength: 3 }), fc.jsonValue()),
      data_offsets: fc.oneof(fc.tuple(size, size), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom('__metadata__', '__proto__', 'a')),
        fc.oneof(entry, fc.jsonValue()),
      ),
      fc.nat(40),
      async (header, dataBytes) => {
        try {
          await openSafetensors(memorySource(file(JSON.stringify(header), dataBytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
