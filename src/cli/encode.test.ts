import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { toFloat32 } from '../checkpoint/dtypes.ts';
import { openSafetensors } from '../checkpoint/safetensors.ts';
import { memorySource } from '../checkpoint/sources.ts';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { writeCheckpointFile } from '../checkpoint/testing/checkpoints.ts';
import { clipTiny } from '../clip/config.ts';
import { maskModes } from '../clip/masks.ts';
import { referenceEncoder, toEncode } from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { testAdapters } from '../gpu/testing/adapters.ts';
import { defaultOptions, preparePrompt, promptEmbeds, weightingMethods } from '../weighting/pipeline.ts';
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

async function written() {
  const { tensors, metadata } = await openSafetensors(memorySource(readFileSync(out)));
  const read = async (name: string) => toFloat32(await tensors.get(name)!.read(), 'F32');
  return { tensors, metadata, read };
}

test.each(weightingMethods.flatMap((weighting) => maskModes.map((mask) => [weighting, mask] as const)))(
  '--weighting %s --mask %s writes what the float64 encoder gives',
  async (weighting, mask) => {
    const args = [
      '--prompt',
      prompt,
      '--model',
      'synthetic-tiny',
      '--weighting',
      weighting,
      '--mask',
      mask,
      '--out',
      out,
    ];
    expect(await main([...args, ...adapter]), complaint).toBe(0);
    const options = { ...defaultOptions, weighting, mask };
    const prepared = preparePrompt(prompt, options, tokenizer);
    const encode = toEncode(await referenceEncoder(syntheticWeights(clipTiny)));
    const outputs = await encode(prepared.passes, { hiddenStates: [], attentions: false });
    const { tensors, metadata, read } = await written();
    for (const name of ['prompt_embeds', 'last_hidden_state'])
      expect(tensors.get(name)).toMatchObject({ dtype: 'F32', shape: [1, 77, 64] });
    expectClose('last_hidden_state', await read('last_hidden_state'), outputs[0].lastHiddenState, 1e-5);
    expectClose('prompt_embeds', await read('prompt_embeds'), promptEmbeds(prepared, outputs, weighting, 64), 1e-4);
    expect(JSON.parse(metadata.get('token_ids')!)).toEqual(Array.from(prepared.chunk.inputIds));
    expect(JSON.parse(metadata.get('weights')!).slice(0, 7)).toEqual([1, 1, 1.3, 1, 1, 1 / 1.1, 1]);
    expect(Object.fromEntries(metadata)).toMatchObject({ prompt, ...options, model: 'synthetic-tiny' });
  },
);

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
  ['an unknown weighting', ['--prompt', 'x', '--weighting', '2'], '--weighting is one of original, scale, none'],
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
