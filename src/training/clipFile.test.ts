import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tokenEmbeddingName } from '../clip/weights.ts';
import { openSafetensors, writeSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { bosTokenId, eosTokenId, vocabSize } from '../tokens/clipVocabulary.ts';
import { clipConfigJson, readParameters, writeClipModel } from './clipFile.ts';
import { parameter } from './parameters.ts';
import { trainShortly } from './testing/shortRun.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const run = await trainShortly(merges, 1);
const { model, tokenIds, rows } = run;
const { config, parameters } = model;
const d = config.text.hiddenSize;

test('a file with float32 gives back all parameters, and which words its rows are', async () => {
  const file = await openSafetensors(memorySource(writeClipModel(model, tokenIds, { dtype: 'F32' })));
  const values = new Float32Array(parameters.values.length);
  await readParameters(file, config, { ...parameters, values });
  expect(values).toEqual(parameters.values);
  expect(JSON.parse(file.metadata.get('token_ids')!)).toEqual(Array.from(tokenIds));
  expect(file.metadata.get('format')).toBe('pt');
});

test('float16 rounds each parameter to eleven bits', async () => {
  const file = await openSafetensors(memorySource(writeClipModel(model, tokenIds, { dtype: 'F16' })));
  const values = new Float32Array(parameters.values.length);
  await readParameters(file, config, { ...parameters, values });
  for (const [i, value] of values.entries()) {
    const exact = parameters.values[i];
    expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.max(Math.abs(exact) * 2 ** -11, 2 ** -25));
  }
});

test('a full table has the rows of all ids, and no list of them', async () => {
  const bytes = writeClipModel(model, tokenIds, { dtype: 'F32', fullTable: rows });
  const file = await openSafetensors(memorySource(bytes));
  const table = file.tensors.get(tokenEmbeddingName)!;
  expect(table.shape).toEqual([vocabSize, d]);
  const rowOf = async (id: number) => {
    const bytes = await table.read(undefined, { start: id, end: id + 1 });
    return new Float32Array(bytes.buffer);
  };
  const { value } = parameter(parameters, tokenEmbeddingName);
  const place = tokenIds.length - 1;
  expect(await rowOf(tokenIds[place])).toEqual(Float32Array.from(value.slice(place * d, (place + 1) * d)));
  const unknown = Array.from({ length: vocabSize }, (_, id) => id).find((id) => !tokenIds.includes(id))!;
  expect(await rowOf(unknown)).toEqual(rows.vectorOf(unknown));
  expect(file.metadata.has('token_ids')).toBe(false);
});

test('config.json numbers BOS and EOS by rows, or by CLIP’s ids', () => {
  const textOf = (json: object) => (json as { text_config: Record<string, number> }).text_config;
  expect(textOf(clipConfigJson(config, tokenIds))).toMatchObject({
    vocab_size: tokenIds.length,
    bos_token_id: tokenIds.indexOf(bosTokenId),
    eos_token_id: tokenIds.indexOf(eosTokenId),
    hidden_size: d,
  });
  expect(textOf(clipConfigJson(config))).toMatchObject({
    vocab_size: vocabSize,
    bos_token_id: bosTokenId,
    eos_token_id: eosTokenId,
  });
});

test('a file without a tensor, or with one of another shape, is refused in a sentence', async () => {
  const read = async (shape: number[]) => {
    const tensor = { name: tokenEmbeddingName, dtype: 'F32' as const, shape, data: new Float32Array(shape[0] * d) };
    return readParameters(await openSafetensors(memorySource(writeSafetensors([tensor]))), config, parameters);
  };
  await expect(read([3, d])).rejects.toThrow(/of shape \[3, 16\]; expected/);
  await expect(read([tokenIds.length, d])).rejects.toThrow(/has no tensor "text_model.embeddings.position_embedding/);
});
