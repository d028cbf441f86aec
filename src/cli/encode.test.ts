import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { toFloat32 } from '../checkpoint/dtypes.ts';
import { openSafetensors } from '../checkpoint/safetensors.ts';
import { memorySource } from '../checkpoint/sources.ts';
import { writeCheckpointFile } from '../checkpoint/testing/checkpoints.ts';
import { clipTiny } from '../clip/config.ts';
import { maskModes } from '../clip/masks.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { testAdapters } from '../gpu/testing/adapters.ts';
import { defaultOptions, type PromptOptions, preparePrompt, promptEmbeds } from '../weighting/pipeline.ts';
import { referenceZ } from '../weighting/testing/reference.ts';
import { main } from './encode.ts';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
const out = join(folder, 'out.safetensors');
const adapter = testAdapters[0] ? ['--adapter', testAdapters[0]] : [];
const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
let printed = '';
let complaint = '';

beforeEach(() => {
  printed = complaint = '';
  vi.spyOn(console, 'log').mockImplementation((line) => {
    printed += `${line}\n`;
  });
  vi.spyOn(console, 'error').mockImplementation((line) => {
    complaint += `${line}\n`;
  });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

const prompt = 'a (red:1.3) car, [blurry]';
const tiny = referenceZ(clipTiny);

async function written() {
  const { tensors, metadata } = await openSafetensors(memorySource(readFileSync(out)));
  const read = async (name: string) => toFloat32(await tensors.get(name)!.read(), 'F32');
  return { tensors, metadata, read };
}

const cases: readonly (readonly [prompt: string, options: Partial<PromptOptions>])[] = [
  ...maskModes.map((mask) => ['a (red:1.3) car, [blurry]', { mask }] as const),
  ['a (red:1.3) car, [blurry]', { weighting: 'scale', squareFactor: '0.9' }],
  ['a (red:1.3) car, [blurry]', { weighting: 'none', brackets: 'text' }],
  [`(cat:1.2) ${'dog '.repeat(80)}`, { clipSkip: 2, commaPaddingBacktrack: 0 }],
  ['a (red:1.3) car :0.5 AND a dog', {}],
  ['a [(red:1.3):blue:0.5] car', { steps: 10, step: 8 }],
  ['a (red)1.3 car, (blurry)0.5', { syntax: 'compel', weighting: 'compel-mask' }],
  ['a red++ car, blurry-', { syntax: 'compel', weighting: 'compel-remove', split: 'WORDS' }],
  ['("a red++ car", "a dog").blend(1, 0.5)', { syntax: 'compel', weighting: 'compel-mask' }],
  ['a (red:1.3) car, (blurry:0.5)', { syntax: 'comfy', weighting: 'comfy', comfyUnit: 'words' }],
  ['a (red:1.3) car, (blurry:0.5)', { syntax: 'comfy', weighting: 'adv-comfy++', normalisation: 'length+mean' }],
];

const flags: Readonly<Record<keyof PromptOptions, string>> = {
  syntax: 'syntax',
  tokenizer: 'tokenizer',
  mask: 'mask',
  weighting: 'weighting',
  normalisation: 'normalisation',
  clipSkip: 'clip-skip',
  brackets: 'brackets',
  squareFactor: 'square-factor',
  steps: 'steps',
  step: 'step',
  commaPaddingBacktrack: 'comma-backtrack',
  split: 'split',
  comfyUnit: 'comfy-unit',
};

test.each(cases)('%s %o: what the float64 encoder gives', async (prompt, changed) => {
  const args = Object.entries(changed).flatMap(([name, value]) => [
    `--${flags[name as keyof PromptOptions]}`,
    String(value),
  ]);
  const given = ['--prompt', prompt, '--model', 'synthetic-tiny', '--out', out, ...args];
  expect(await main([...given, ...adapter]), complaint).toBe(0);
  const options = { ...defaultOptions, ...changed };
  const prepared = preparePrompt(prompt, options, tokenizer);
  const zOf = (await tiny)(options.clipSkip);
  const { tensors, metadata, read } = await written();
  const embeds = promptEmbeds(prepared, zOf, options.weighting);
  for (const [i, rows] of embeds.entries()) {
    const name = embeds.length > 1 ? `prompt_embeds.${i}` : 'prompt_embeds';
    expect(tensors.get(name)).toMatchObject({ dtype: 'F32', shape: [1, rows.length / 64, 64] });
    expectClose(name, await read(name), rows, 1e-4);
  }
  expect(tensors.size).toBe(embeds.length + 1);
  const n = prepared.chunks.length;
  expect(tensors.get('last_hidden_state')).toMatchObject({ dtype: 'F32', shape: [n, 77, 64] });
  const last = await read('last_hidden_state');
  for (const [i, { pass }] of prepared.chunks.entries())
    expectClose('last_hidden_state', last.subarray(i * 77 * 64, (i + 1) * 77 * 64), (await tiny)(1)(pass), 1e-5);
  const rows = (of: 'inputIds' | 'perTokenWeights') => prepared.chunks.map(({ chunk }) => Array.from(chunk[of]));
  expect(JSON.parse(metadata.get('token_ids')!)).toEqual(rows('inputIds'));
  expect(JSON.parse(metadata.get('weights')!)).toEqual(rows('perTokenWeights'));
  const texts = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
  expect(Object.fromEntries(metadata)).toMatchObject({ prompt, ...texts, model: 'synthetic-tiny' });
});

test('a checkpoint file is encoded as the same weights are', async () => {
  const file = join(folder, 'model.safetensors');
  await writeCheckpointFile(file, { config: clipTiny, dtype: 'F32', layout: 'ldm' });
  const last: Float32Array[] = [];
  for (const model of [file, 'synthetic-tiny']) {
    expect(await main(['--prompt', prompt, '--model', model, '--out', out, ...adapter]), complaint).toBe(0);
    last.push(await (await written()).read('last_hidden_state'));
  }
  expect(last[0]).toEqual(last[1]);
  expect(printed).toContain('model.safetensors, F32');
  expect(printed).toContain('synthetic-tiny (random weights');
});

test.each([
  ['no prompt', [], 'There is no --prompt'],
  ['an unknown option', ['--prompt', 'x', '--weight', '1'], "Unknown option '--weight'"],
  ['an option without its value', ['--prompt'], '--prompt'],
  ['an unknown mask', ['--prompt', 'x', '--mask', 'pad'], '--mask is one of causal, hf, lecture, none, not "pad".'],
  ['an unknown syntax', ['--prompt', 'x', '--syntax', 'midjourney'], '--syntax is one of a1111'],
  ['an unknown weighting', ['--prompt', 'x', '--weighting', '2'], '--weighting is one of none, scale, original'],
  ['a clip skip of 0', ['--prompt', 'x', '--clip-skip', '0'], '--clip-skip is a whole number from 1 to 13, not "0".'],
  ['a step after the last', ['--prompt', 'x', '--steps', '5', '--step', '6'], '--step is a whole number from 1 to 5'],
  ['a missing file', ['--prompt', 'x', '--model', 'none.safetensors'], 'none.safetensors'],
  ['a file of another kind', ['--prompt', 'x', '--model', 'package.json'], '"package.json" is not a safetensors file'],
])('%s is one sentence and an exit code', async (_, args, message) => {
  expect(await main(args)).toBe(1);
  expect(complaint.trim()).toContain(message);
  expect(complaint.trim().split('\n')).toHaveLength(1);
});

test('the command itself exits with the code', () => {
  const run = (...args: string[]) =>
    execFileSync('node', ['scripts/run.mjs', 'src/cli/encode.ts', ...args], { stdio: 'pipe' });
  expect(run('--help').toString()).toContain('npm run encode');
  writeFileSync(join(folder, 'empty.safetensors'), '');
  expect(() => run('--prompt', 'x', '--model', join(folder, 'empty.safetensors'))).toThrow(
    /empty\.safetensors" is empty/,
  );
});
