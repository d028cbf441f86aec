import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type ClipTextConfig, clipTiny } from '../clip/config.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { drift, examine } from './doctor.ts';
import { encoderPlan } from './library/downloadPlan.ts';
import { keepEncoder } from './library/keep.ts';
import { createModelStorage } from './library/openStorage.ts';
import { memoryFiles } from './library/storageFiles.ts';
import { CheckpointError, openCheckpoint } from './openCheckpoint.ts';
import { checkpointBytes } from './testing/checkpoints.ts';
import { weightsHash } from './weightsHash.ts';

const tokenIds = [320, 736, 7, bosTokenId, eosTokenId];
const config: ClipTextConfig = {
  ...clipTiny,
  vocabSize: tokenIds.length,
  hiddenSize: 32,
  numAttentionHeads: 2,
  intermediateSize: 64,
  numHiddenLayers: 3,
};

const text = {
  hidden_size: 32,
  num_attention_heads: 2,
  intermediate_size: 64,
  num_hidden_layers: 3,
  max_position_embeddings: 77,
  hidden_act: 'quick_gelu',
  layer_norm_eps: 1e-5,
};
const configText = (changed: object = {}) => JSON.stringify({ text_config: { ...text, ...changed } });
const metadata = { token_ids: JSON.stringify(tokenIds), clip_config: configText() };

const bytesWith = (metadata: Record<string, string>, sizes = config) =>
  checkpointBytes({ config: sizes, dtype: 'F16', layout: 'hf', metadata });
const open = async (metadata: Record<string, string>, sizes?: ClipTextConfig) =>
  openCheckpoint(memorySource(await bytesWith(metadata, sizes), 'small.safetensors'));

test('sizes are those that the file says, and other ids than those of its rows have a vector of their own', async () => {
  const { config: opened, compactTable } = await open(metadata);
  expect(opened).toEqual(config);
  const { rowOf, vectorOf } = compactTable!;
  expect(tokenIds.map((id) => rowOf.get(id))).toEqual([0, 1, 2, 3, 4]);
  expect(rowOf.get(321)).toBeUndefined();
  expect(vectorOf(321)).toHaveLength(32);
  expect(vectorOf(321)).toEqual(vectorOf(321));
});

test.each<[string, Record<string, string>, string]>([
  [
    'no sizes',
    { token_ids: metadata.token_ids },
    'does not say the sizes of its text encoder, which its shapes alone do not tell: expected the text of config.json in its metadata clip_config',
  ],
  [
    'sizes that are no JSON',
    { ...metadata, clip_config: '{"text_config": {' },
    'does not say the sizes of its text encoder, which its shapes alone do not tell: expected the text of config.json in its metadata clip_config',
  ],
  [
    'a number of heads that is none',
    { ...metadata, clip_config: configText({ num_attention_heads: 'four' }) },
    'says in its metadata clip_config that num_attention_heads is "four"; expected a whole number from 1 to 32',
  ],
  [
    'no number of heads',
    { ...metadata, clip_config: configText({ num_attention_heads: undefined }) },
    'says in its metadata clip_config that num_attention_heads is nothing; expected a whole number from 1 to 32',
  ],
  [
    'heads that do not divide a row',
    { ...metadata, clip_config: configText({ num_attention_heads: 3 }) },
    'has 3 heads in rows of 32 numbers; expected heads of 8, 16, 32, 64',
  ],
  [
    'an MLP of an odd width',
    { ...metadata, clip_config: configText({ intermediate_size: 60 }) },
    'has rows of 60 numbers; expected a multiple of 32',
  ],
  [
    'too few positions',
    { ...metadata, clip_config: configText({ max_position_embeddings: 15 }) },
    "has a text encoder of 15 positions; expected 16 to 512: Stable Diffusion 1's has 77, and Long-CLIP's 248",
  ],
  [
    'another activation',
    { ...metadata, clip_config: configText({ hidden_act: 'gelu' }) },
    'needs the activation "gelu"; only quick_gelu is known here',
  ],
  [
    'a LayerNorm of no use',
    { ...metadata, clip_config: configText({ layer_norm_eps: -1 }) },
    'says that layer_norm_eps is -1; expected a number above 0 and up to 0.001',
  ],
  [
    'more layers than there are',
    { ...metadata, clip_config: configText({ num_hidden_layers: 4 }) },
    'lacks 16 of the 68 tensors of the text encoder, the first being "text_model.encoder.layers.3.layer_norm1.weight"',
  ],
  [
    'fewer layers than there are',
    { ...metadata, clip_config: configText({ num_hidden_layers: 2 }) },
    'has a text encoder of more than 2 layers, which is not what it should have',
  ],
  [
    'another width than it says',
    { ...metadata, clip_config: configText({ hidden_size: 64, num_attention_heads: 4 }) },
    'has tensor "text_model.embeddings.token_embedding.weight" of shape [5, 32]; expected [5, 64]',
  ],
  [
    'an id twice',
    { ...metadata, token_ids: JSON.stringify([320, 320, 7, bosTokenId, eosTokenId]) },
    'does not say in its metadata token_ids which words the rows of its token table are: expected a list of different ids from 0 to 49407',
  ],
  [
    'an id that CLIP has not',
    { ...metadata, token_ids: '[320,49408]' },
    'does not say in its metadata token_ids which words the rows of its token table are: expected a list of different ids from 0 to 49407',
  ],
  [
    'a list that is none',
    { ...metadata, token_ids: '"all"}' },
    'does not say in its metadata token_ids which words the rows of its token table are: expected a list of different ids from 0 to 49407',
  ],
  [
    'no row for EOS',
    { ...metadata, token_ids: JSON.stringify([320, 736, 7, 8, bosTokenId]) },
    'has no row for EOS in its token table: token_ids lacks the id 49407',
  ],
  [
    'fewer ids than rows',
    { ...metadata, token_ids: JSON.stringify(tokenIds.slice(1)) },
    'has tensor "text_model.embeddings.token_embedding.weight" of shape [5, 32]; expected [4, 32]',
  ],
])('a file with %s is refused in one sentence', async (_, wrong, why) => {
  const error = await open(wrong).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).toBe(`"small.safetensors" ${why}.`);
});

test('a copy is the same encoder: one that is kept, and one that is fetched alone', async () => {
  const bytes = await bytesWith(metadata);
  const encoder = await openCheckpoint(memorySource(bytes, 'small.safetensors'));
  const storage = createModelStorage(memoryFiles());
  const model = await keepEncoder(encoder, { into: storage, source: 'a', sha256: () => createHash('sha256') });
  const plan = await encoderPlan(memorySource(bytes, 'small.safetensors'));
  const fetched = [plan.header, ...plan.ranges.map(({ start, end }) => bytes.subarray(start, end))];
  for (const copy of [
    await storage.open(model.id),
    memorySource(new Uint8Array(Buffer.concat(fetched)), 'small.safetensors'),
  ]) {
    const opened = await openCheckpoint(copy);
    expect(opened.config).toEqual(config);
    expect(opened.compactTable!.rowOf).toEqual(encoder.compactTable!.rowOf);
    expect(await weightsHash(opened)).toBe(await weightsHash(encoder));
  }
});

test('it can be examined, and compared with one of the same words', async () => {
  const file = await openSafetensors(memorySource(await bytesWith(metadata), 'small.safetensors'));
  const examined = await examine(file);
  expect(examined.config).toEqual(config);
  expect([examined.missing, examined.misshapen]).toEqual([[], []]);
  const small = await open(metadata);
  expect((await drift(small, await open(metadata))).whole.relative).toBe(0);
  const otherWords = { ...metadata, token_ids: JSON.stringify([321, ...tokenIds.slice(1)]) };
  await expect(drift(small, await open(otherWords))).rejects.toThrow(
    'The token tables of "small.safetensors" and "small.safetensors" have rows for different words; only like can be compared.',
  );
});
