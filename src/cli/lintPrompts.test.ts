import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from './lintPrompts.ts';

const readdir = vi.hoisted(() => vi.fn());
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  // Whoever runs the tests may be allowed to read every folder.
  return { ...fs, readdirSync: readdir.mockImplementation(fs.readdirSync) };
});

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
let printed: string[] = [];
let complaints: string[] = [];

beforeEach(() => {
  printed = [];
  complaints = [];
  vi.spyOn(console, 'log').mockImplementation((line) => printed.push(line));
  vi.spyOn(console, 'error').mockImplementation((line) => complaints.push(line));
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** Lints the contents of a file; gives the exit code, and of each finding its line, column and code. */
async function linted(name: string, contents: string, ...options: string[]) {
  const file = join(folder, name);
  writeFileSync(file, contents);
  const code = await main([file, '--format', 'json', ...options]);
  const found = printed.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, found: found.map((one) => `${one.line}:${one.column}-${one.endLine}:${one.endColumn} ${one.code}`) };
}

test.each([
  [
    'a prompt a line',
    'list.txt',
    'a (red:1.3) car\n\n  a red++ car\r\n(x',
    ['3:8-3:10 compel-weight', '4:1-4:2 unclosed-bracket'],
  ],
  [
    'lines of options',
    'options.txt',
    `--prompt "a dog++" --negative_prompt "(x" --steps 9\n--steps 9 --prompt 'a cat++'\n--prompt dog++ --steps 3`,
    ['1:16-1:18 compel-weight', '1:39-1:40 unclosed-bracket', '2:26-2:28 compel-weight', '3:13-3:15 compel-weight'],
  ],
  [
    'an infotext',
    'info.txt',
    'a cat,\n  dog++\nNegative prompt: (x\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1',
    ['2:6-2:8 compel-weight', '3:18-3:19 unclosed-bracket'],
  ],
  [
    'an infotext in one line',
    'line.txt',
    'a dog++. Negative prompt: (x. Steps: 20, Sampler: Euler, CFG scale: 7',
    ['1:6-1:8 compel-weight', '1:27-1:28 unclosed-bracket'],
  ],
  [
    'styles',
    'styles.csv',
    '\uFEFFname,prompt,negative_prompt\nOld,"{prompt}, ""oil"" on\n(wood","bad++ hands"\n,,\nTwo,dog++,\n',
    ['3:1-3:2 unclosed-bracket', '3:12-3:14 compel-weight', '5:8-5:10 compel-weight'],
  ],
])('finds the line and column in %s', async (_, name, contents, expected) => {
  expect(await linted(name, contents)).toEqual({ code: 1, found: expected });
});

test('a whole file can be one prompt, and a language is read as its program reads it', async () => {
  expect((await linted('whole.txt', '(a,\nb:1.2)\n', '--whole')).found).toEqual([]);
  expect((await linted('compel.txt', 'a red++ car', '--language', 'compel')).found).toEqual([]);
  printed = [];
  const long = await linted('long.txt', 'cat '.repeat(80), '--language', 'compel');
  expect(long).toEqual({ code: 1, found: ['1:301-1:320 tokens-cut'] });
});

test('a folder is searched for lists of prompts, and the exit code is by the severity that counts', async () => {
  const inner = join(folder, 'prompts', 'inner');
  mkdirSync(inner, { recursive: true });
  writeFileSync(join(inner, 'b.txt'), 'a (dog:9) on a hill');
  writeFileSync(join(folder, 'prompts', 'a.txt'), 'a cat');
  writeFileSync(join(folder, 'prompts', 'picture.png'), 'a red++');
  expect(await main([join(folder, 'prompts')])).toBe(0);
  expect(printed[0]).toMatch(/inner.b\.txt:1:\d+: info: .* \(far-weight\)$/);
  expect(printed.at(-1)).toBe('2 files: 0 error, 0 warning, 1 info.');
  expect(await main([join(folder, 'prompts'), '--fail-on', 'info'])).toBe(1);
});

test('a workflow of GitHub annotates the lines, also those of standard input', async () => {
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(
    Readable.from([Buffer.from('x\n100% re'), Buffer.from('d++\n')]) as never,
  );
  expect(await main(['-', '--format', 'github'])).toBe(1);
  const says =
    /^::warning file=stdin,line=2,endLine=2,col=9,endColumn=10,title=compel-weight::“\+\+” is how Compel weighs: /;
  expect(printed).toEqual([expect.stringMatching(says)]);
});

test('what cannot be read is one sentence, and the other files are linted', async () => {
  const bad = join(folder, 'bad.txt');
  const good = join(folder, 'good.txt');
  writeFileSync(bad, Buffer.of(0xff, 0xfe, 0x00));
  writeFileSync(good, 'a red++ car');
  expect(await main([bad, good])).toBe(2);
  expect(complaints).toEqual([`"${bad}" is no text in UTF-8; save it as UTF-8.`]);
  expect(printed[0]).toContain('compel-weight');
});

test.each([
  [[], 'There is no file; name files, folders, or - for standard input.'],
  [['none.txt'], '"none.txt" does not exist.'],
  [['x', '--format', 'xml'], '--format is one of text, github, json, not "xml".'],
  [['x', '--language', 'forge'], '--language is one of a1111, compel, comfy, not "forge".'],
  [['x', '--strict'], "Unknown option '--strict'"],
])('%j is refused', async (args, message) => {
  expect(await main(args)).toBe(2);
  expect(complaints).toEqual([expect.stringContaining(message)]);
});

test('a folder that cannot be read is told, and the others are linted', async () => {
  const at = join(folder, 'closed');
  mkdirSync(at);
  writeFileSync(join(folder, 'closed.txt'), 'a (cat');
  readdir.mockImplementationOnce(() => {
    throw new Error("EACCES: permission denied, scandir 'closed'");
  });
  expect(await main([at, join(folder, 'closed.txt')])).toBe(2);
  expect(complaints).toEqual([`"${at}" could not be read: EACCES: permission denied.`]);
  expect(printed.some((line) => line.includes('closed.txt:1:'))).toBe(true);
});
