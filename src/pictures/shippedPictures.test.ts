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
import { type Judged, type JudgedCaptions, withJudged } from './pictureCard.ts';
import { drawPictures, pictureSet, verdictBits, verdictsOf } from './pictureEvaluation.ts';
import { pictureModelPath } from './pictureModel.ts';
import { createPromptReader } from './promptReader.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';
import { type WeighedWord, weightFindings } from './weightEvaluation.ts';

const folder = 'public/small-pictures';
const isShipped = existsSync(folder);
const shipped = (name: string) => readFileSync(`${folder}/${name}`);

type ShippedJudged = Judged & { readonly sha256: string };

/** A share that a denoiser that is shipped has to reach. */
interface Bar {
  readonly least: number;
  readonly reached: (judged: Judged) => number;
}

/** One bar for captions of pairs that were trained, and one for the others. */
const ofBoth = (name: string, least: number, share: (judged: JudgedCaptions) => number): Record<string, Bar> => ({
  [`${name}, seen`]: { least, reached: ({ seen }) => share(seen!) },
  [`${name}, held out`]: { least, reached: ({ heldOut }) => share(heldOut!) },
});

/** Counts the methods of which all of these findings hold. */
const methodsThat = (word: WeighedWord, ...findings: readonly string[]) => ({
  reached: (judged: Judged) =>
    judged[word]!.methods.filter((found) => findings.every((name) => weightFindings[word][name].holds(found))).length,
});

const bars: Readonly<Record<string, Bar>> = {
  ...ofBoth('captions', 512, ({ captions }) => captions),
  'everything right, seen': { least: 0.95, reached: ({ seen }) => seen!.right },
  'everything right, held out': { least: 0.85, reached: ({ heldOut }) => heldOut!.right },
  ...ofBoth('colour', 0.98, ({ colour }) => colour),
  ...ofBoth('shape', 0.96, ({ shape }) => shape),
  ...ofBoth('relation', 0.97, ({ relation }) => relation),
  ...ofBoth('fillers', 0.95, ({ fillerInvariance }) => fillerInvariance),
  ...ofBoth('colours point', 0.9, ({ colourPointing }) => colourPointing),
  ...ofBoth('shapes point', 0.9, ({ shapePointing }) => shapePointing),
  'methods by which the area follows “large”': { least: 2, ...methodsThat('large', 'meanFollows') },
  'methods by which the area follows “large”, and the other object stays': {
    ...{ least: 1, ...methodsThat('large', 'meanFollows', 'keepsOther') },
  },
  'methods by which a colour rises and stays, and the other object too': {
    ...{ least: 1, ...methodsThat('colour', 'rises', 'stays', 'keepsOther') },
  },
};

/** Bars that the shipped denoiser does not reach, with what it has at least. One that is reached leaves this list. */
const missed: Readonly<Record<string, number>> = {
  'everything right, seen': 0.9375,
  'relation, held out': 0.966,
  'fillers, held out': 0.945,
  'shapes point, seen': 0.793,
  'shapes point, held out': 0.782,
};

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

  test('the shipped denoiser reaches its bars, but for those that are named', () => {
    const short = Object.entries(bars).filter(([, { least, reached }]) => !(reached(judged) >= least));
    expect(short.map(([name]) => name)).toEqual(Object.keys(missed));
    for (const [name, { reached }] of short) expect(reached(judged), name).toBeGreaterThanOrEqual(missed[name]);
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
