import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { compileKernels } from '../cpu/kernels.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { smallModelPath } from '../models/smallModel.ts';
import { hex, sha256, weightsHash } from '../models/weightsHash.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { inputIdsOf } from '../training/evaluation.ts';
import { denoiserConfigJson, denoiserFacts, readDenoiser } from './denoiserFile.ts';
import { type Judged, withJudged } from './pictureCard.ts';
import { drawPictures, pictureSet, verdictBits, verdictsOf } from './pictureEvaluation.ts';
import { pictureModelPath } from './pictureModel.ts';
import { createPromptReader } from './promptReader.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

const folder = 'public/small-pictures';
const isShipped = existsSync(folder);
const shipped = (name: string) => readFileSync(`${folder}/${name}`);

type ShippedJudged = Judged & { readonly sha256: string };

test('the folder of the denoiser has all its files, or there is none', () => {
  const files = ['README.md', 'config.json', 'judged.json', 'log.jsonl', 'model.safetensors'];
  expect(isShipped ? readdirSync(folder).toSorted() : files).toEqual(files);
});

/** Tests that a folder calls for. */
if (isShipped) {
  const judged: ShippedJudged = JSON.parse(String(shipped('judged.json')));
  const file = await openSafetensors(fileSource(`public/${pictureModelPath}`));
  const clip = await openCheckpoint(fileSource(`public/${smallModelPath}`));

  test('the shipped denoiser is the one of its card, was judged, and reads the rows of the shipped text encoder', async () => {
    const bytes = new Uint8Array(shipped('model.safetensors'));
    const card = String(shipped('README.md'));
    const sum = hex((await sha256(bytes))!);
    expect(judged.sha256).toBe(sum);
    expect(card).toContain(sum);
    expect(card).toBe(withJudged(card, judged));
    expect(bytes.length).toBeLessThan(5e6);
    const facts = denoiserFacts(file);
    expect(JSON.parse(String(shipped('config.json')))).toEqual(denoiserConfigJson(facts));
    expect(facts.clipSha256).toBe(await weightsHash(clip));
  });

  test.each(['seen', 'heldOut'] as const)('it draws the first captions (%s) as it was judged', async (pairs) => {
    const count = 8;
    const compiled = await compileKernels(false);
    const model = await createFastDenoiser(compiled, denoiserFacts(file).config, { B: 2 * count, T: contextLength });
    await readDenoiser(file, model);
    const reader = await createPromptReader(compiled, clip, count);
    const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
    const { brief } = pictureSet(tokenizer, reader, pairs, count);
    const emptyRows = reader.read(inputIdsOf(tokenizer, ['']));
    const pictures = drawPictures(model, brief.rows, emptyRows, judged.drawing);
    expect(verdictBits(verdictsOf(brief, pictures))).toBe(judged[pairs]!.verdicts.slice(0, count));
  });
}
