import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { createCompactTable } from '../models/tokenTable.ts';
import { hex, sha256 } from '../models/weightsHash.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { clipConfigJson, preprocessorJson, readParameters } from './clipFile.ts';
import { createFastClipModel } from './clipModel.ts';
import { defaultRun, runModelConfig } from './clipRun.ts';
import { clipEmbedder, evaluate, evaluationSet, foilScenes, judgeFoils } from './evaluation.ts';
import { foilRows, metricRows } from './modelCard.ts';

const shipped = (name: string) => readFileSync(`public/small-clip/${name}`);
const bytes = new Uint8Array(shipped('model.safetensors'));
const card = String(shipped('README.md'));
const file = await openSafetensors(memorySource(bytes));
const tokenIds: number[] = JSON.parse(file.metadata.get('token_ids')!);
const config = runModelConfig(defaultRun, tokenIds.length);

test('the shipped model is the one of its card and its configuration', async () => {
  expect(card).toContain(hex((await sha256(bytes))!));
  expect(bytes.length).toBeLessThan(3e6);
  expect(JSON.parse(String(shipped('config.json')))).toEqual(clipConfigJson(config, tokenIds));
  expect(JSON.parse(String(shipped('preprocessor_config.json')))).toEqual(preprocessorJson(config));
});

test('the shipped model has the metrics of its card', async () => {
  const room = 100;
  const model = await createFastClipModel(await compileKernels(false), config, { B: room, L: contextLength });
  await readParameters(file, config, model.parameters);
  const embedder = clipEmbedder(model, createCompactTable(tokenIds, config.text.hiddenSize), room);
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const [seen, heldOut] = (['seen', 'heldOut'] as const).map((pairs) =>
    metricRows(evaluate(embedder, evaluationSet(tokenizer, pairs))),
  );
  for (const [i, [name, share]] of seen.entries())
    expect(card).toContain(`| ${name} | ${share.toFixed(4)} | ${heldOut[i][1].toFixed(4)} |`);
  const [seenFoils, otherFoils] = (['seen', 'heldOut'] as const).map((pairs) =>
    foilRows(judgeFoils(embedder, evaluationSet(tokenizer, pairs, foilScenes))),
  );
  for (const [i, [name, share]] of seenFoils.entries()) {
    expect(card).toContain(`| ${name} | ${share.toFixed(4)} | ${otherFoils[i][1].toFixed(4)} |`);
    expect(Math.min(share, otherFoils[i][1]), name).toBeGreaterThanOrEqual(0.99);
  }
});
