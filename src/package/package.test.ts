import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs';
import { buildPackage } from '../../scripts/package.mjs';
import { expectClose, recordedArray } from '../clip/testing/recorded.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { smallModelPath } from '../models/smallModel.ts';
import a1111Recorded from '../weighting/recorded/index_a1111.json';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
const made = join(folder, 'made');
const project = join(folder, 'project');
const installed = join(project, 'node_modules/clipscope');
const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: project, encoding: 'utf8' });

/** The examples of the documents, in order. */
const examples = ['README.md', 'docs/package.md', 'docs/conformance.md'].flatMap((file) =>
  Array.from(readFileSync(file, 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm), ([, code]) => code),
);

/** A LoRA of one matrix of the small model. */
function smallLora(): Uint8Array {
  const data = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
  const module = 'lora_te_text_model_encoder_layers_5_self_attn_q_proj';
  return writeSafetensors([
    { name: `${module}.lora_down.weight`, dtype: 'F32', shape: [1, 128], data },
    { name: `${module}.lora_up.weight`, dtype: 'F32', shape: [128, 1], data },
  ]);
}

beforeAll(async () => {
  await buildPackage(made);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }');
  const packed = run('npm', 'pack', made, '--silent').trim();
  run('npm', 'install', '--offline', '--silent', '--no-audit', '--no-fund', packed);
  cpSync('src/package/testing/consumer.mjs', join(project, 'consumer.mjs'));
  cpSync(join('public', smallModelPath), join(project, 'model.safetensors'));
  writeFileSync(join(project, 'mud.safetensors'), smallLora());
});
afterAll(() => rmSync(folder, { recursive: true }));

const recorded = 'tiny_B_a1111_original_p2';

/** Judges what the consumer came to, wherever it ran. */
function expectUsed(used: Record<string, unknown>) {
  const { embeds, ids, threads, apart, ...others } = used;
  expectClose(recorded, embeds as number[], recordedArray(`weighting/recorded/${recorded}.npy`).data, 1e-5);
  const { tokens } = a1111Recorded[recorded];
  expect((ids as number[]).slice(0, tokens[0].length)).toEqual(tokens[0]);
  expect(threads).toMatch(/^CPU, 2 threads, /);
  expect(apart).toBeLessThan(1e-4);
  expect(others).toEqual({
    fragments: [
      ['a ', 1],
      ['red', 1.3],
      [' car and a ', 1],
      ['blue', 0.6],
      [' bicycle, sunset', 1],
    ],
    words: [320, 2368],
    codes: ['compel-weight'],
    converted: '(red)1.21 car',
    metadata: a1111Recorded[recorded].prompt,
    failures: [
      'RangeError: A prompt\'s syntax is one of a1111, compel, comfy, not "forge".',
      'RangeError: "clipSkip" is a whole number from 1 to 13, not 99.',
      'SafetensorsError: "short.safetensors" is not a safetensors file: it has only 3 bytes.',
      'RangeError: There are 1 passes and 0 outputs: give one for each, in order.',
      'CpuError: The encoder of "synthetic-tiny" was closed.',
    ],
  });
}

test('its examples print what they say, and its numbers are the recorded ones, in Node', () => {
  const expected: string[] = [];
  examples.forEach((code, i) => {
    writeFileSync(join(project, `example${i}.mjs`), code);
    expected.push(...Array.from(code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm), ([, printed]) => printed));
  });
  expect(expected.length).toBeGreaterThan(examples.length);
  const imports = examples.map((_, i) => `await import('./example${i}.mjs');`).join('\n');
  const prompt = JSON.stringify(a1111Recorded[recorded].prompt);
  const use = `const { useAll } = await import('./consumer.mjs');\nconsole.log(JSON.stringify(await useAll(${prompt})));`;
  writeFileSync(join(project, 'all.mjs'), `${imports}\n${use}`);
  const printed = run('node', 'all.mjs').trim().split('\n');
  expect(printed.slice(0, -1)).toEqual(expected);
  expectUsed(JSON.parse(printed.at(-1)!));
});

test('a bundler builds a page of it whose worker computes the recorded numbers', async () => {
  writeFileSync(
    join(project, 'index.html'),
    `<!doctype html><script type="module">import { useAll } from './consumer.mjs'; globalThis.useAll = useAll;</script>`,
  );
  await build({ root: project, configFile: false, logLevel: 'silent', base: './' });
  const server: PreviewServer = await preview({
    ...{ root: project, configFile: false, logLevel: 'silent' },
    preview: { port: 0, host: '127.0.0.1' },
  });
  const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(server.resolvedUrls!.local[0]);
    await page.waitForFunction(() => 'useAll' in globalThis);
    const used = await page.evaluate(
      (prompt) =>
        (globalThis as unknown as { useAll(prompt: string): Promise<Record<string, unknown>> }).useAll(prompt),
      a1111Recorded[recorded].prompt,
    );
    expectUsed(used);
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
    await server.close();
  }
});

test('its linter and its suite are commands', () => {
  writeFileSync(join(project, 'prompts.txt'), 'a red++ car');
  const linted = spawnSync('npx', ['--offline', 'clipscope-lint', 'prompts.txt'], { cwd: project, encoding: 'utf8' });
  expect(linted).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^prompts\.txt:1:6: warning: /),
    stderr: '',
  });
  const conformance = (...args: string[]) => {
    const command = ['--offline', 'clipscope-conformance', '--json', ...args];
    const { status, stdout, stderr } = spawnSync('npx', command, {
      cwd: project,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    expect(stderr).toBe('');
    const { right, wrong, skipped, total } = JSON.parse(stdout);
    return { status, right, wrong, skipped, total };
  };
  const { length: total } = JSON.parse(readFileSync(join(installed, 'conformance/cases.json'), 'utf8')).cases;
  expect(conformance('--own')).toEqual({ status: 0, right: total, wrong: 0, skipped: 0, total });
  writeFileSync(
    join(project, 'plain.mjs'),
    `import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) {
  const { id, input } = JSON.parse(line);
  console.log(JSON.stringify({ id, result: [[input.prompt, 1]] }));
}
`,
  );
  const plain = conformance('--command', 'node plain.mjs', '--program', 'comfy', '--kind', 'parse');
  expect(plain).toMatchObject({ status: 1, skipped: 0, total: plain.right + plain.wrong });
  expect(Math.min(plain.right, plain.wrong)).toBeGreaterThan(10);
});

test('its declarations are whole', () => {
  writeFileSync(
    join(project, 'uses.ts'),
    `import { createEncoder, type ClipEncoder } from 'clipscope/engine';
import { openCheckpoint, openLora, type Checkpoint } from 'clipscope/files';
import { lint } from 'clipscope/lint';
import { parse, type Fragment } from 'clipscope/prompt';
import { openTokenizer } from 'clipscope/tokens';
import { prepare } from 'clipscope/weighting';
export const fragments: readonly Fragment[] = parse('a', 'comfy').texts[0].fragments;
export const codes: string[] = lint('a', 'compel').map(({ code }) => code);
export async function embeds(file: Blob): Promise<Float32Array | BigInt64Array> {
  const checkpoint: Checkpoint = await openCheckpoint(file);
  const encoder: ClipEncoder = await createEncoder(checkpoint, { engine: 'webgpu' });
  const [{ data }] = await encoder.encodePrompts(prepare('a', await openTokenizer(), { syntax: 'a1111' }), {
    loras: [{ ...(await openLora(file, checkpoint)), multiplier: 0.5 }],
  });
  return data;
}
// @ts-expect-error There is no such language.
parse('a', 'forge');
`,
  );
  const options = {
    strict: true,
    noEmit: true,
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: [],
    module: 'nodenext',
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['uses.ts'] }));
  run('node', join(process.cwd(), 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json');
});

/** The files that a module loads at once, itself among them; with `later` those that it may load or start later, too. */
function loadedBy(entry: string, later = false): string[] {
  const loads = later ? /["'`]\.\/([^"'`]+\.js)["'`]/g : /(?:from|import)\s*["'`]\.\/([^"'`]+)["'`]/g;
  const loaded = new Set<string>();
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const [, from] of readFileSync(join(installed, file), 'utf8').matchAll(loads)) load(from);
  };
  load(entry);
  return [...loaded];
}

/** Bytes of files of the package, gzipped. */
const weight = (files: readonly string[]) =>
  files.reduce((sum, file) => sum + gzipSync(readFileSync(join(installed, file)), { level: 9 }).length, 0);

test('each export weighs what the document says, and no code of Node is in those of browsers', () => {
  const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const document = readFileSync('docs/package.md', 'utf8');
  const table = document.matchAll(/^\| `clipscope\/(\w+)` \|.*\| (\d+) kB/gm);
  const said = Object.fromEntries(Array.from(table, ([, name, kilobytes]) => [name, Number(kilobytes)]));
  const modules = Object.entries<{ default: string }>(exports).filter(([, target]) => typeof target === 'object');
  expect(Object.keys(said)).toEqual(modules.map(([name]) => name.slice(2)));
  for (const [name, { default: entry }] of modules)
    expect(weight(loadedBy(entry)), name).toBeLessThanOrEqual(said[name.slice(2)] * 1000);
  expect(said.prompt).toBeLessThanOrEqual(25);
  const later = loadedBy('tokens.js', true).filter((file) => !loadedBy('tokens.js').includes(file));
  for (const [name, files] of [
    ['vocabulary', later],
    // An engine takes the kernels that its processor has.
    ['kernels', loadedBy('engine.js', true).filter((file) => file.startsWith('kernels_relaxed'))],
    ['cases', ['conformance/cases.json']],
  ] as const) {
    const kilobytes = Number(new RegExp(`(\\d+) kB of ${name}`).exec(document)?.[1]);
    expect(files.length, name).toBe(1);
    expect(weight(files), name).toBeLessThanOrEqual(kilobytes * 1000);
  }
  const inBrowsers = modules.filter(([name]) => name !== './conformance');
  const files = new Set(inBrowsers.flatMap(([, { default: entry }]) => loadedBy(entry, true)));
  expect([...files]).toEqual(
    expect.arrayContaining(['shareWorker.js', expect.stringMatching(/^kernels_relaxed\.wasm-/)]),
  );
  for (const file of files) expect(readFileSync(join(installed, file), 'utf8'), file).not.toMatch(/["'`]node:/);
});

test('Node’s modules export what those of browsers do', async () => {
  const names = (file: string) =>
    run(
      'node',
      '--input-type=module',
      '-e',
      `console.log(Object.keys(await import('./node_modules/clipscope/${file}')).sort().join())`,
    );
  expect(names('filesNode.js')).toBe(names('files.js'));
});
