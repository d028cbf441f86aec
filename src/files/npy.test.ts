import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { readNpy, writeNpy } from './npy.ts';
import recorded from './recorded/npy.json';

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const { unreadable, ...readable } = recorded;

test.each(Object.entries(readable))('%s as NumPy saves it', (_, { shape, values, base64 }) => {
  const npy = readNpy(bytesOf(base64));
  expect(npy.shape).toEqual(shape);
  expect([...npy.data].map(Number)).toEqual(values);
});

test.each([
  ['fortran', 'Fortran order'],
  ['bigEndian', "'>f4'"],
  ['version3', 'version 3'],
  ['structured', "'descr'"],
] as const)('%s is refused', (name, message) => {
  expect(() => readNpy(bytesOf(unreadable[name]))).toThrow(message);
});

test('an array that starts at an odd byte is read all the same', () => {
  const bytes = bytesOf(readable['<f8'].base64);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  expect([...readNpy(shifted.subarray(1)).data]).toEqual(readable['<f8'].values);
});

test('a file cut anywhere is an error', () => {
  const bytes = bytesOf(readable['<f4'].base64);
  for (let end = 0; end < bytes.length; end++)
    expect(() => readNpy(bytes.subarray(0, end)), `${end} bytes`).toThrow(/NPY/);
});

test('bytes left over are an error that gives both lengths', () => {
  const bytes = bytesOf(readable['<i4'].base64);
  const longer = new Uint8Array(bytes.length + 4);
  longer.set(bytes);
  expect(() => readNpy(longer)).toThrow("16 bytes of data; its shape (3) of '<i4' takes 12");
});

test('what is written is what NumPy would have saved', () => {
  const { shape, values, base64 } = readable['<f4'];
  expect(writeNpy(Float32Array.from(values), shape)).toEqual(bytesOf(base64));
  const integers = readable['<i8'];
  expect(writeNpy(BigInt64Array.from(integers.values.map(BigInt)), integers.shape)).toEqual(bytesOf(integers.base64));
  const row = readFileSync('src/weighting/recorded/tiny_B_a1111_original_p0.npy');
  const { data, shape: whole } = readNpy(row);
  expect(Buffer.from(writeNpy(data as Float32Array, whole)).equals(row)).toBe(true);
});

test('any float32 array comes back', () => {
  fc.assert(
    fc.property(fc.float32Array({ maxLength: 24 }), (data) => {
      for (const shape of [[data.length], [1, data.length], [data.length, 1, 1]])
        expect(readNpy(writeNpy(data, shape))).toEqual({ shape, data });
    }),
  );
});

test('a shape that does not hold the data is not written', () => {
  expect(() => writeNpy(new Float32Array(5), [2, 3])).toThrow('(2, 3) cannot hold 5');
});
