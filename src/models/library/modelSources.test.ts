import { expect, test } from 'vitest';
import { customFile, fileFrom, sd15TextEncoder, storedAs } from './modelSources.ts';
import type { StoredModel } from './storage.ts';

test('every file has a size and a hash or neither, and addresses without doubles', () => {
  const { files } = sd15TextEncoder;
  expect(new Set(files.map(({ id }) => id)).size).toBe(files.length);
  for (const { bytes, sha256, urls } of files) {
    expect(bytes === null).toBe(sha256 === null);
    if (sha256) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(urls.length).toBeGreaterThan(0);
    expect(new Set(urls).size).toBe(urls.length);
    for (const url of urls) expect(url).toMatch(/^https:\/\/[^?#]+\/resolve\/main\/[^?#]+\.safetensors$/);
  }
});

test.each([
  ['https://example.com/a/model.safetensors', 'https://example.com/a/model.safetensors', 'model.safetensors'],
  ['  http://localhost:80/x%20y.safetensors#part ', 'http://localhost/x%20y.safetensors', 'x y.safetensors'],
  [
    'https://huggingface.co/o/r/blob/main/text_encoder/model.safetensors',
    'https://huggingface.co/o/r/resolve/main/text_encoder/model.safetensors',
    'model.safetensors',
  ],
  ['https://example.com/o/r/blob/main/m.bin', 'https://example.com/o/r/blob/main/m.bin', 'm.bin'],
  ['https://civitai.com/api/download/models/1?type=Model', 'https://civitai.com/api/download/models/1?type=Model', '1'],
  ['https://example.com/%E0%A4%A', 'https://example.com/%E0%A4%A', '%E0%A4%A'],
  ['https://example.com', 'https://example.com/', 'example.com'],
])('%s is a file', (text, url, label) => {
  expect(customFile(text)).toEqual({ id: url, label, bytes: null, sha256: null, urls: [url] });
});

test.each(['', 'model.safetensors', 'C:\\models\\a.safetensors', 'file:///a', 'javascript:alert(1)', 'data:,x'])(
  '"%s" is none',
  (text) => expect(customFile(text)).toBeNull(),
);

test('a part is gone on with as the file that it was begun for', () => {
  const [file] = sd15TextEncoder.files;
  expect(fileFrom(file.urls[0])).toBe(file);
  expect(fileFrom('https://example.com/x.safetensors')).toEqual(customFile('https://example.com/x.safetensors'));
  expect(fileFrom('')).toBeNull();
});

test('a stored model is known by its hash, or by any of its addresses', () => {
  const [file] = sd15TextEncoder.files;
  const model = (facts: Partial<StoredModel>) =>
    ({ complete: true, source: '', sha256: null, ...facts }) as StoredModel;
  const [byHash, byMirror] = [model({ sha256: file.sha256 }), model({ source: file.urls[1] })];
  expect(storedAs(file, [model({}), byHash])).toBe(byHash);
  expect(storedAs(file, [byMirror])).toBe(byMirror);
  expect(storedAs(file, [model({ complete: false, source: file.urls[0] }), model({})])).toBeUndefined();
});
