import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hex, sha256 } from '../models/weightsHash.ts';
import { main } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
let printed = '';
let complaint = '';
/** Called with each line that is printed. */
let hear: (line: string) => void = () => {};

beforeEach(() => {
  printed = complaint = '';
  hear = () => {};
  vi.spyOn(console, 'log').mockImplementation((line) => {
    printed += `${line}\n`;
    hear(line);
  });
  vi.spyOn(console, 'error').mockImplementation((line) => {
    complaint += `${line}\n`;
  });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

const small =
  'clip --steps 6 --plain-steps 1 --single-steps 1 --look-steps 1 --pair-steps 1 --word-steps 1 --bind-steps 1 --whole-steps 1 --again-steps 2 --alike-steps 1 --last-steps 1 --pair-batch 4 --batch 8 --width 16 --layers 1 --heads 2 --image-width 16 --image-layers 1 --image-heads 2 --foil-scenes 40';
const train = (name: string, ...args: string[]) => main([...args, '--measure-every', '3', '--out', join(folder, name)]);
const written = (name: string, file: string) => readFileSync(join(folder, name, file));
const logLines = (name: string) =>
  String(written(name, 'log.jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('a run that is interrupted after three of six steps and resumed gives the bytes of one in one go', async () => {
  expect(await train('whole', ...small.split(' ')), complaint).toBe(0);
  hear = (line) => {
    if (line.startsWith('step 3 of 6')) process.emit('SIGINT');
  };
  expect(await train('parts', ...small.split(' ')), complaint).toBe(130);
  expect(complaint).toContain('Stopped after step 3: go on with --resume');
  expect(existsSync(join(folder, 'parts', 'model.safetensors'))).toBe(false);
  hear = () => {};
  expect(await train('parts', 'clip', '--resume', '--foil-scenes', '40'), complaint).toBe(0);
  for (const file of ['model.safetensors', 'config.json'])
    expect(written('parts', file).equals(written('whole', file)), file).toBe(true);

  const withoutTime = (name: string) => logLines(name).map(({ seconds: _, ...line }) => line);
  expect(withoutTime('parts')).toEqual(withoutTime('whole'));
  expect(withoutTime('whole').map(({ step }) => step)).toEqual([3, 6]);
  expect(readdirSync(join(folder, 'whole')).toSorted()).toEqual(
    [
      'README.md',
      'checkpoint.safetensors',
      'config.json',
      'log.jsonl',
      'model.safetensors',
      'preprocessor_config.json',
    ].toSorted(),
  );
  const bytes = new Uint8Array(written('whole', 'model.safetensors'));
  const card = String(written('whole', 'README.md'));
  expect(card).toContain(hex((await sha256(bytes))!));
  expect(card).toContain('--steps 6 --batch 8');
});

test('another seed gives other bytes, and a full table is written on request', async () => {
  const args = [...small.split(' '), '--steps', '1'];
  expect(await train('one', ...args), complaint).toBe(0);
  expect(await train('two', ...args, '--seed', '2', '--full-table'), complaint).toBe(0);
  expect(written('one', 'model.safetensors').equals(written('two', 'model.safetensors'))).toBe(false);
  expect(JSON.parse(String(written('two', 'full/config.json'))).text_config.vocab_size).toBe(49408);
  expect(written('two', 'full/model.safetensors').length).toBeGreaterThan(49408 * 16 * 2);
});

test('a folder with a run in it is not trained over', async () => {
  expect(await train('taken', ...small.split(' '), '--steps', '1'), complaint).toBe(0);
  expect(await train('taken', ...small.split(' '))).toBe(1);
  expect(complaint).toMatch(/holds a run already: go on with --resume/);
});

test.each([
  ['clip --steps 0', '--steps is a whole number from 1 to 1000000, not "0".'],
  [
    'clip --width 100 --heads 3',
    '--width 100 is no multiple of 4 numbers for each of 3 heads; choose 12 times something.',
  ],
  ['clip --patch 7', '--patch divides the 40 pixels'],
  ['clip --learning-rate fast', '--learning-rate is a number above 0 and up to 1, not "fast".'],
  ['clip --warm-up 5 --steps 5', '--warm-up takes 5 of 5 --steps'],
  ['clip --resume --batch 3', 'With --resume the checkpoint decides --batch'],
  ['clip --resume', 'checkpoint.safetensors" does not exist.'],
  ['denoiser', 'It can train clip or pictures, not "denoiser"; see --help.'],
  ['clip --speed 3', "Unknown option '--speed'"],
])('%s is refused in a sentence', async (args, message) => {
  expect(await train('refused', ...args.split(' '))).toBe(1);
  expect(complaint).toContain(message);
  expect(complaint.trim().split('\n')).toHaveLength(1);
  expect(existsSync(join(folder, 'refused'))).toBe(false);
});

test('a file that is no checkpoint is refused in a sentence', async () => {
  expect(await train('damaged', ...small.split(' '), '--steps', '1'), complaint).toBe(0);
  writeFileSync(join(folder, 'damaged', 'checkpoint.safetensors'), written('damaged', 'model.safetensors'));
  expect(await train('damaged', 'clip', '--resume')).toBe(1);
  expect(complaint).toContain('is no checkpoint of such a training run');
});

test('help names every option', async () => {
  expect(await main(['--help'])).toBe(0);
  expect(printed).toContain('--image-heads N');
});

test('the command itself trains, and loads what it needs on the way', () => {
  const args = [...small.split(' '), '--steps', '1', '--out', join(folder, 'command')];
  execFileSync('node', ['scripts/run.mjs', 'src/cli/train.ts', ...args], { stdio: 'pipe' });
  expect(existsSync(join(folder, 'command', 'model.safetensors'))).toBe(true);
});
