import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { smallModelPath } from '../models/smallModel.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { worldTokenIds } from '../world/captionIds.ts';

const source = fileSource(`public/${smallModelPath}`);

test('the model that comes with the page opens, and knows exactly the words of the world', async () => {
  const { config, compactTable } = await openCheckpoint(source);
  const words = worldTokenIds(createTokenizer(readFileSync('public/clip-merges.txt', 'utf8')));
  expect([...compactTable!.rowOf.keys()]).toEqual(Array.from(words));
  expect(config).toMatchObject({ hiddenSize: 128, numAttentionHeads: 4, numHiddenLayers: 6 });
});

test('its config.json is what the file says of itself', async () => {
  const { metadata } = await openSafetensors(source);
  const config = JSON.parse(readFileSync('public/small-clip/config.json', 'utf8'));
  expect(JSON.parse(metadata.get('clip_config')!)).toEqual(config);
});
