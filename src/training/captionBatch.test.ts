import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { createCompactTable } from '../models/tokenTable.ts';
import { contextLength, eosTokenId } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { worldTokenIds } from '../world/captionIds.ts';
import { batchDrawer, createBatch } from '../world/worldBatch.ts';
import { readCaptions } from './captionBatch.ts';

test('captions of the world are cut after their EOS, and every unknown word has its vector', () => {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const ids = worldTokenIds(tokenizer);
  const batch = createBatch(40);
  batchDrawer(tokenizer)(batch, createRandom(4));
  const rows = createCompactTable(ids, 8);
  const { lengths, tokens, vectors, picks } = readCaptions(batch.inputIds, contextLength, rows);
  expect(lengths.length).toBe(40);
  let [row, unknown] = [0, 0];
  for (let b = 0; b < lengths.length; b++) {
    const caption = batch.inputIds.subarray(b * contextLength, (b + 1) * contextLength);
    const end = caption.indexOf(eosTokenId);
    expect(lengths[b]).toBe(end + 1);
    expect(picks[b]).toBe(row + end);
    for (let i = 0; i <= end; i++, row++) {
      const vector = vectors!.get(row);
      expect(vector !== undefined).toBe(!ids.includes(caption[i]));
      if (!vector) expect(ids[tokens[row]]).toBe(caption[i]);
      else if (++unknown) expect(vector).toEqual(rows.vectorOf(caption[i]));
    }
  }
  expect(tokens.length).toBe(row);
  expect(unknown).toBeGreaterThan(0);
});
