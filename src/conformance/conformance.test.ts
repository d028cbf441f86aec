import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
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
import versions from './versions.json';

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

/** A schema of JSON, as far as that of the cases goes. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly prefixItems?: readonly Schema[];
  readonly items?: boolean | Schema;
  readonly minItems?: number;
  readonly $ref?: string;
}
const definitions = schema.$defs as unknown as Readonly<Record<string, Schema>>;

const typeOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

function isObject(value: object, { required = [], properties = {}, additionalProperties = true }: Schema): boolean {
  return (
    required.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, one]) =>
      isValid(one, Object.hasOwn(properties, name) ? properties[name] : additionalProperties),
    )
  );
}

/** Whether a value is as a schema has it. Throws at a keyword that is not known here. */
function isValid(value: unknown, schema: Schema | boolean): boolean {
  if (typeof schema === 'boolean') return schema;
  return Object.entries(schema).every(([keyword, of]) => {
    switch (keyword) {
      case 'description':
        return true;
      case '$ref':
        return isValid(value, definitions[of.replace('#/$defs/', '')]);
      case 'const':
        return value === of;
      case 'enum':
        return of.includes(value);
      case 'type':
        return of === 'integer' ? Number.isInteger(value) : typeOf(value) === of;
      case 'oneOf':
        return of.filter((one: Schema) => isValid(value, one)).length === 1;
      case 'required':
      case 'additionalProperties':
      case 'properties':
        return typeOf(value) === 'object' && isObject(value as object, schema);
      case 'minItems':
        return Array.isArray(value) && value.length >= of;
      case 'prefixItems':
      case 'items':
        return (
          Array.isArray(value) && value.every((one, i) => isValid(one, schema.prefixItems?.[i] ?? schema.items ?? true))
        );
      default:
        throw new Error(`The schema has “${keyword}”, which is not read here.`);
    }
  });
}

test('every case is as the schema has it', () => {
  const item = schema.properties.cases.items as unknown as Schema;
  // Another program reads them as JSON.
  const read: typeof cases = JSON.parse(JSON.stringify(cases));
  expect(read.filter((one) => !isValid(one, item))).toEqual([]);
  const [first] = read;
  expect(isValid({ ...first, input: { prompt: 1 } }, item)).toBe(false);
  expect(isValid({ ...first, expected: [['a', 1, 2]] }, item)).toBe(false);
  const compel = read.find(({ program, expected }) => program === 'compel' && expected !== null)!;
  expect(isValid({ ...compel, expected: { ...(compel.expected as object), prompts: [{}] } }, item)).toBe(false);
});

/** Whether the version after another may have other numbers: the major is larger, or the minor before 1.0. */
function isMajor(before: string, after: string): boolean {
  const [[major, minor], [nextMajor, nextMinor]] = [before, after].map((version) => version.split('.').map(Number));
  return nextMajor > major || (nextMajor === 0 && major === 0 && nextMinor > minor);
}

test('other recordings are another major version', () => {
  const sha256 = createHash('sha256').update(JSON.stringify(cases)).digest('hex');
  // Cases that have changed get a line of their own in versions.json, with the version that brings them.
  expect(versions.at(-1)!.sha256).toBe(sha256);
  for (const [i, { version }] of versions.entries())
    if (i > 0) expect(isMajor(versions[i - 1].version, version), version).toBe(true);
  expect(isMajor(packageJson.version, versions.at(-1)!.version), 'package.json has an older version').toBe(false);
  expect([
    isMajor('0.1.0', '0.1.1'),
    isMajor('0.1.1', '0.2.0'),
    isMajor('0.9.0', '1.0.0'),
    isMajor('1.0.0', '1.1.0'),
  ]).toEqual([false, true, true, false]);
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
