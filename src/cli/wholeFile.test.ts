import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testAdapters } from '../gpu/testing/adapters.ts';
import { writeWholeFile } from './wholeFile.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
  file = join(folder, 'out.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (entry: string, ...args: string[]) =>
  spawn('node', ['scripts/run.mjs', entry, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });

/** Resolves once the process has printed `line`. */
async function printed(child: ChildProcess, line: string): Promise<void> {
  let output = '';
  for await (const data of child.stdout!) {
    output += data;
    if (output.split('\n').includes(line)) return;
  }
  throw new Error(`The process ended without "${line}".`);
}

async function ended(child: ChildProcess) {
  let complaint = '';
  child.stderr!.on('data', (data) => {
    complaint += data;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, complaint };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s in the middle of writing leaves the file that was there, and nothing beside it',
  async (signal) => {
    writeFileSync(file, 'what was there');
    const child = run('src/cli/testing/writeHalf.ts', file);
    const end = ended(child);
    await printed(child, 'half');
    expect(readFileSync(file, 'utf8')).toBe('what was there');
    expect(readdirSync(folder), 'the half that is written').toHaveLength(2);
    child.kill(signal);
    expect(await end).toEqual({ code: null, signal, complaint: `Stopped: "${file}" was not written.\n` });
    expect(readdirSync(folder)).toEqual(['out.safetensors']);
    expect(readFileSync(file, 'utf8')).toBe('what was there');
  },
);

test('a name that was free stays free until the file is whole', async () => {
  const child = run('src/cli/testing/writeHalf.ts', file);
  const end = ended(child);
  await printed(child, 'half');
  expect(readdirSync(folder)).not.toContain('out.safetensors');
  child.stdin!.write('go on\n');
  expect(await end).toEqual({ code: 0, signal: null, complaint: '' });
  expect(readdirSync(folder)).toEqual(['out.safetensors']);
  expect([...readFileSync(file)]).toEqual([...Array(1000).fill(1), ...Array(1000).fill(2)]);
});

test('Ctrl-C in the middle of npm run encode is one sentence, and the file that was there stays', async () => {
  writeFileSync(file, 'what was there');
  const prompts = join(folder, 'prompts.txt');
  writeFileSync(prompts, 'a (red:1.3) car\n'.repeat(2000));
  const adapter = testAdapters[0] ? ['--adapter', testAdapters[0]] : [];
  const args = ['--prompts', prompts, '--model', 'synthetic-tiny', '--out', file, ...adapter];
  const child = run('src/cli/encode.ts', ...args);
  const end = ended(child);
  await printed(child, 'Prompt 0: a (red:1.3) car');
  child.stdout!.resume();
  child.kill('SIGINT');
  expect(await end).toEqual({ code: null, signal: 'SIGINT', complaint: `Stopped: "${file}" was not written.\n` });
  expect(readdirSync(folder).sort()).toEqual(['out.safetensors', 'prompts.txt']);
  expect(readFileSync(file, 'utf8')).toBe('what was there');
});

test('what fails half-way leaves the file that was there', async () => {
  writeFileSync(file, 'what was there');
  function* failing() {
    yield new Uint8Array(10);
    throw new Error('no more');
  }
  await expect(writeWholeFile(file, failing())).rejects.toThrow('no more');
  expect(readFileSync(file, 'utf8')).toBe('what was there');
  await expect(writeWholeFile(join(folder, 'none', 'x.npz'), [])).rejects.toThrow('ENOENT');
  mkdirSync(join(folder, 'taken.npz'));
  await expect(writeWholeFile(join(folder, 'taken.npz'), [new Uint8Array(1)])).rejects.toThrow(/EISDIR/);
  expect(readdirSync(folder).sort()).toEqual(['out.safetensors', 'taken.npz']);
});

test('the new file takes the place, the permissions and the link of the old one', async () => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o640);
  const old = join(folder, 'old');
  linkSync(file, old);
  const link = join(folder, 'link.safetensors');
  symlinkSync(file, link);
  await writeWholeFile(link, [new TextEncoder().encode('new')]);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe('new');
  expect(statSync(file).mode & 0o777).toBe(0o640);
  // The old file was never written into.
  expect(readFileSync(old, 'utf8')).toBe('old');
});
