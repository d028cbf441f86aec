import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { crc32 } from './crc32.ts';
import { memorySource } from './testing/memorySource.ts';
import { entryStart, readZipDirectory } from './zipDirectory.ts';
import { writeZip } from './zipWriter.ts';

const fail = (why: string): never => {
  throw new Error(why);
};

test('what is written is read back, in its place', async () => {
  const file = fc.record({ name: fc.string({ minLength: 1, maxLength: 8 }), data: fc.uint8Array({ maxLength: 40 }) });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: 4 }), async (files) => {
      const source = memorySource(writeZip(files));
      const directory = await readZipDirectory(source, fail);
      expect([...directory.keys()]).toEqual(files.map(({ name }) => name));
      for (const { name, data } of files) {
        const entry = directory.get(name)!;
        const start = await entryStart(source, entry, fail);
        expect(await source.read(start, start + entry.size)).toEqual(new Uint8Array(data));
      }
    }),
    { numRuns: 60 },
  );
});

test('the checksum is zlib’s', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(crc32(bytes)).toBe(zlibCrc32(bytes));
    }),
  );
});
