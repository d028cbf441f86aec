import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readFloats } from '../files/floatTensor.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { hex, sha256, weightsHash } from '../models/weightsHash.ts';
import { denoiserFacts } from '../pictures/denoiserFile.ts';
import { fileSource } from './fileSource.ts';
import { main as judge } from './judgePictures.ts';
import { main } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
let complaint = '';
/** Called with each line that is printed. */
let hear: (line: string) => void = () => {};

beforeEach(() => {
  complaint = '';
  hear = () => {};
  vi.spyOn(console, 'log').mockImplementation((line) => hear(line));
  vi.spyOn(console, 'error').mockImplementation((line) => {
    complaint += `${line}\n`;
  });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** A run of a small denoiser, on the text encoder that comes with the page. */
const small =
  'pictures --steps 5 --again-steps 1 --point-steps 2 --bold-steps 1 --blend-steps 1 --batch 8 --repeats 2 --width0 32 --down0 0 --up0 1 --width1 32 --up1 0 --width2 32 --blocks2 1';
const train = (name: string, args: string) =>
  main([
    ...args.split(' '),
    ...'--measure-every 2 --measure-captions 1 --card-captions 1 --out'.split(' '),
    join(folder, name),
  ]);
const written = (name: string, file: string) => readFileSync(join(folder, name, file));

test('a run that is interrupted in its first part and in its third, on two threads, gives the bytes of one in one go on one thread', async () => {
  expect(await train('whole', `${small} --threads 1`), complaint).toBe(0);
  const interruptAfter = (step: number) => {
    hear = (line) => {
      if (line.startsWith(`step ${step} of 5`)) process.emit('SIGINT');
    };
  };
  /** The parameters that the third part began from, as the checkpoint has them. */
  const start = async () => {
    const file = await openSafetensors(fileSource(join(folder, 'parts', 'checkpoint.safetensors')));
    return readFloats('start', file.tensors.get('start')!, (why) => expect.fail(why));
  };
  interruptAfter(2);
  expect(await train('parts', `${small} --threads 2`), complaint).toBe(130);
  expect((await start()).every((value) => value === 0)).toBe(true);
  interruptAfter(4);
  expect(await train('parts', 'pictures --resume'), complaint).toBe(130);
  expect((await start()).some((value) => value !== 0)).toBe(true);
  expect(existsSync(join(folder, 'parts', 'model.safetensors'))).toBe(false);
  hear = () => {};
  expect(await train('parts', 'pictures --resume'), complaint).toBe(0);
  for (const file of ['model.safetensors', 'config.json'])
    expect(written('parts', file).equals(written('whole', file)), file).toBe(true);
  expect(readdirSync(join(folder, 'whole')).toSorted()).toEqual(
    ['README.md', 'checkpoint.safetensors', 'config.json', 'judged.json', 'log.jsonl', 'model.safetensors'].toSorted(),
  );
  const log = String(written('parts', 'log.jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(log.map(({ step }) => step)).toEqual([2, 4, 5]);
  expect(log[1].seen.right).toBeGreaterThanOrEqual(0);

  const card = String(written('whole', 'README.md'));
  expect(card).toContain(hex((await sha256(new Uint8Array(written('whole', 'model.safetensors'))))!));
  expect(card).toContain('npm run train -- pictures --seed 1 --steps 5 --batch 8');
  const { config, clipSha256 } = denoiserFacts(
    await openSafetensors(fileSource(join(folder, 'whole', 'model.safetensors'))),
  );
  expect(config.levels.map(({ channels }) => channels)).toEqual([32, 32, 32]);
  const clip = await openCheckpoint(fileSource('public/small-clip/model.safetensors'));
  expect(clipSha256).toBe(await weightsHash(clip));
  expect(card).toContain(clipSha256);
});

test('a trained denoiser is judged part by part, and its card tells what was found', async () => {
  const few = '--captions 2 --scenes 1 --methods comfy --steps 1'.split(' ');
  const whole = ['--model', join(folder, 'whole')];
  const judgeParts = (...parts: string[]) => judge([...parts, ...few, ...whole]);
  const judged = () => JSON.parse(String(written('whole', 'judged.json')));
  // Training has judged both kinds of captions already: a part that is judged again leaves the other.
  const trained = judged();
  expect(trained.seen.captions).toBe(1);
  expect(await judge(['large', '--scenes', '1', '--methods', 'comfy', ...whole]), complaint).toBe(0);
  expect([judged().seen, judged().heldOut]).toEqual([trained.seen, trained.heldOut]);
  expect(await judgeParts('held-out'), complaint).toBe(0);
  const first = judged();
  expect(first.heldOut.captions).toBe(2);
  expect(first.heldOut.verdicts).toMatch(/^[01]{2}$/);
  expect(await judgeParts('large', 'colour'), complaint).toBe(0);
  expect(judged().heldOut).toEqual(first.heldOut);
  const [{ method, points }] = judged().large.methods;
  expect([method, points.length, points[4].weight]).toEqual(['comfy', 9, 1]);
  const card = String(written('whole', 'README.md'));
  expect(card).toContain('npm run train -- pictures --seed 1 --steps 5 --batch 8');
  expect(card.match(/^## .*/gm)).toEqual(['## Training', '## What it shows']);
  expect(card).toContain(`| number of objects | ${first.heldOut.count.toFixed(4)} |`);
  expect(card).toMatch(/\| ComfyUI \|(.*\|){7}\n/);
  expect(card).toContain(`| colour, of all said objects | ${trained.seen.ofAllSaid.colour.toFixed(4)} |`);
  expect(card).toContain('| rises from 0 to 1 | does not fall to 1.5 |');
  // Another way of drawing starts anew.
  expect(await judgeParts('seen', '--guidance', '1'), complaint).toBe(0);
  expect(Object.keys(judged())).toEqual(['sha256', 'drawing', 'conditions', 'seen']);
});

test.each([
  [['shapes'], 'There is no part "shapes": name some of seen, held-out, large, colour.'],
  [['--methods', 'none'], '"none" is no method; they are scale, '],
  [['--guidance', 'much'], '--guidance is a number from 0 to 10, not "much".'],
  [['--model', 'nowhere'], 'nowhere/model.safetensors" does not exist.'],
])('judging %s is refused in a sentence', async (args, message) => {
  expect(await judge(args)).toBe(1);
  expect(complaint).toContain(message);
});

test.each([
  [
    'pictures --steps 1000 --again-steps 600 --point-steps 400',
    '--again-steps and --point-steps take 1000 of 1000 --steps; leave some to begin with.',
  ],
  ['pictures --grounding none', '--grounding is a number above 0 and up to 1, not "none".'],
  ['pictures --batch 6', '--batch 6 is no multiple of --repeats 4'],
  ['pictures --batch 10 --repeats 2', '--batch is a multiple of 4, not 10.'],
  ['pictures --width1 100', '--width1 is a multiple of 32, the numbers of a head, not 100.'],
  ['pictures --resume --width1 64', 'With --resume the checkpoint decides --width1'],
  ['pictures --clip nowhere', 'nowhere/model.safetensors" does not exist.'],
  ['pictures --full-table', "Unknown option '--full-table'"],
])('%s is refused in a sentence', async (args, message) => {
  expect(await train('refused', args)).toBe(1);
  expect(complaint).toContain(message);
});

test('a checkpoint of another training is refused in a sentence', async () => {
  writeFileSync(join(folder, 'parts', 'checkpoint.safetensors'), readFileSync('public/small-clip/model.safetensors'));
  expect(await train('parts', 'pictures --resume')).toBe(1);
  expect(complaint).toContain('is no checkpoint of such a training run');
});
