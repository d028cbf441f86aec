/**
 * Safetensors files out of public bug reports of other programs, by the report's number, with whether the format's own
 * reader (0.8.0) loads or refuses them; and further files of the same kinds.
 */
import { expect, test } from 'vitest';
import { openSafetensors, SafetensorsError } from './safetensors.ts';
import { memorySource } from './testing/memorySource.ts';

/** A file of this header and eight bytes of data. */
function file(json: string, data = new Uint8Array(8)): Uint8Array {
  const header = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(data, 8 + header.length);
  return bytes;
}
const tensor = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

test.each([
  ['B49: metadata without entries', `{"__metadata__":{},${tensor}}`],
  ['metadata that are null', `{"__metadata__":null,${tensor}}`],
  ['metadata at the end', `{${tensor},"__metadata__":{"format":"pt"}}`],
  ['spaces after the header', `{${tensor}}     `],
  ['line feeds in the header', `{\n  ${tensor}\n}\n`],
])('%s: loaded', async (_, json) => {
  const { tensors } = await openSafetensors(memorySource(file(json)));
  expect([...tensors.keys()]).toEqual(['a']);
});

test.each([
  ['B49: metadata that are no text', `{"__metadata__":{"step":1},${tensor}}`, 'has metadata "step" that is not text'],
  ['a list for metadata', `{"__metadata__":["a"],${tensor}}`, 'has __metadata__ that is not an object'],
  // The reader of 0.8.0 takes the last one: it is told here, for the first would be lost without a word.
  ['B49: one name twice', `{${tensor},${tensor}}`, 'has a header that names "a" twice'],
  ['metadata twice', `{"__metadata__":{},"__metadata__":{},${tensor}}`, 'has a header that names "__metadata__" twice'],
  ['B49: zeros after the header', `{${tensor}}\0\0\0`, 'has a header that is not valid JSON'],
  ['a comma at the end', `{${tensor},}`, 'has a header that is not valid JSON'],
])('%s: refused', async (_, json, why) => {
  const error = await openSafetensors(memorySource(file(json), 'x')).catch((e) => e);
  expect(error).toBeInstanceOf(SafetensorsError);
  expect(error.message).toBe(`"x" ${why}.`);
});
