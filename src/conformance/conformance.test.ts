import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { textEncoder } from '../models/openCheckpoint.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import schema from './cases.schema.json';
import { runCommandLine } from './conformanceCommand.ts';
import { ownAnswers } from './ownAnswers.ts';
import { recordedCases } from './recordedCases.ts';
import { recordedModel } from './recordedModel.ts';
import { isSameResult, runConformance } from './score.ts';

const cases = recordedCases();
const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('this project answers every case right', async () => {
  const model = join(folder, 'model.safetensors');
  writeFileSync(model, await recordedModel());
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const own = ownAnswers(tokenizer, async (path) => textEncoder(await openTensorFile(fileSource(path))));
  const { failures, kinds, ...all } = await runConformance(cases, own, model);
  expect(failures.slice(0, 3)).toEqual([]);
  expect(all).toEqual({ right: cases.length, wrong: 0, skipped: 0, total: cases.length });
  expect(Object.fromEntries(kinds.map(({ program, kind, total }) => [`${program} ${kind}`, total]))).toEqual({
    ...{ 'a1111 parse': 283, 'a1111 schedule': 259, 'a1111 parts': 51, 'a1111 networks': 13, 'a1111 chunk': 269 },
    ...{ 'compel parse': 315, 'compel chunk': 305, 'comfy parse': 208, 'comfy page': 164, 'comfy chunk': 416 },
    ...{ 'clip tokenize': 2365, 'a1111 weigh': 25, 'compel weigh': 31, 'comfy weigh': 160 },
  });
});

/** Speaks the protocol; reads (text:number) alone, and knows nothing of nested or square brackets. */
const wrongParser = `
  const lines = require('node:readline').createInterface({ input: process.stdin });
  console.log('a line that is no answer');
  lines.on('line', (line) => {
    const { id, kind, input } = JSON.parse(line);
    const answer = (rest) => console.log(JSON.stringify({ id, ...rest }));
    if (kind !== 'parse') return answer({ skip: 'weights alone' });
    if (input.prompt.length > 60) return answer({ error: 'too long' });
    const result = [];
    for (const [, text, weighed, number] of input.prompt.matchAll(/([^(]+)|\\(([^():]*):([\\d.]+)\\)/g))
      result.push(text ? [text, 1] : [weighed, Number(number)]);
    answer({ result });
  });
`;

async function commandLine(...args: string[]) {
  const printed: string[] = [];
  const complaints: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line) => printed.push(line));
  vi.spyOn(console, 'error').mockImplementation((line) => complaints.push(line));
  try {
    return { code: await runCommandLine(args, cases), printed, complaints };
  } finally {
    vi.restoreAllMocks();
  }
}

test('a wrong parser is caught, and its mistakes are counted', async () => {
  const file = join(folder, 'wrong.cjs');
  writeFileSync(file, wrongParser);
  const command = `"${process.execPath}" "${file}"`;
  const { code, printed, complaints } = await commandLine('--command', command, '--program', 'a1111', '--json');
  expect(code).toBe(1);
  expect(complaints).toEqual(['The command wrote a line that is no answer: a line that is no answer']);
  const { kinds, failures, ...all } = JSON.parse(printed[0]);
  const [parse, ...others] = kinds;
  expect(parse.right).toBeGreaterThan(20);
  expect(parse.wrong).toBeGreaterThan(100);
  expect(parse).toMatchObject({ program: 'a1111', kind: 'parse', skipped: 0, total: parse.right + parse.wrong });
  for (const { skipped, total } of others) expect(skipped).toBe(total);
  expect(failures).toHaveLength(parse.wrong);
  expect(all.right + all.wrong + all.skipped).toBe(all.total);
  const nested = failures.find(({ input }: { input: { prompt: string } }) => input.prompt === '(())');
  expect(nested).toMatchObject({ kind: 'parse', expected: [['', 1.0]] });
});

test('a table says how it went, with the first wrong answers', async () => {
  const file = join(folder, 'ends.cjs');
  writeFileSync(file, 'process.exit(3)');
  const args = [
    '--command',
    `"${process.execPath}" "${file}"`,
    '--program',
    'comfy',
    '--kind',
    'page',
    '--failures',
    '1',
  ];
  const { code, printed } = await commandLine(...args);
  expect(code).toBe(1);
  expect(printed[0]).toBe('program   kind         right   wrong skipped   cases');
  expect(printed[1]).toBe('comfy     page             0     164       0     164');
  expect(printed).toContain('  answered an error: The command ended with exit code 3 before it answered this.');
  expect(printed.at(-1)).toBe('and 163 more wrong answers');
});

test('a command that writes nothing is ended, with whatever it has started', async () => {
  const file = join(folder, 'silent.cjs');
  writeFileSync(file, 'process.stdin.resume(); setTimeout(() => {}, 60_000)');
  const args = ['--program', 'comfy', '--kind', 'page', '--failures', '1', '--silence', '0.5'];
  const { code, printed } = await commandLine('--command', `"${process.execPath}" "${file}" | cat`, ...args);
  expect(code).toBe(1);
  expect(printed).toContain('  answered an error: The command gave no answer for 0.5 seconds.');
});

test.each([
  [['--own', '--silence', '0'], '--silence is a number of seconds up to 86400, not "0".'],
  [[], 'Give the implementation by --command, or --own for clipscope itself; see --help.'],
  [['--own', '--kind', 'lint'], '--kind is one of parse, schedule'],
  [['--own', '--program', 'compel', '--kind', 'page'], 'There is no case of this program and kind.'],
])('%j is refused', async (args, message) => {
  expect(await commandLine(...args)).toMatchObject({ code: 2, complaints: [expect.stringContaining(message)] });
});

test.each([
  [[['a', 1]], [['a', 1.0000000000000002]], true],
  [[['a', 1]], [['a', 1.0001]], false],
  [
    [['a', 1]],
    [
      ['a', 1],
      ['b', 1],
    ],
    false,
  ],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [null, [], false],
  ['inf', 'inf', true],
  [[1], { 0: 1 }, false],
])('%j and %j are the same: %s', (expected, result, isSame) => {
  expect(isSameResult(result, expected)).toBe(isSame);
});

test('the schema names every kind with its input, and no other', () => {
  const inputs = new Map<string, string[]>();
  for (const { program, kind, input } of cases) inputs.set(`${program} ${kind}`, Object.keys(input).sort());
  const said = schema.properties.cases.items.oneOf.map(({ properties: { program, kind, input } }) => [
    `${program.const} ${kind.const}`,
    Object.keys(input.properties).sort(),
  ]);
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(inputs));
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
});
