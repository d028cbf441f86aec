// Compares the encoder with other engines, in one Chromium or in Node: node e2e/peers/run.mjs --runs 3 --only
// tfjs,jax-js
import { execFileSync, fork } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import { build } from 'vite';
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, 'node_modules');
const built = join(packages, '.page');
const builtForNode = join(packages, '.dawn');

/** Engines to time, in the order of a round; `of` is the package whose version is shown. */
const contenders = [
  { engine: 'clipscope', backend: 'webgpu' },
  { engine: 'onnxruntime-web', backend: 'webgpu', of: 'onnxruntime-web' },
  { engine: 'onnxruntime-web', backend: 'wasm', of: 'onnxruntime-web' },
  { engine: 'tfjs', backend: 'webgpu', of: '@tensorflow/tfjs-backend-webgpu' },
  { engine: 'tfjs', backend: 'wasm', of: '@tensorflow/tfjs-backend-wasm' },
  { engine: 'jax-js', backend: 'webgpu', of: '@jax-js/jax' },
  { engine: 'jax-js', backend: 'wasm', of: '@jax-js/jax' },
  { engine: 'LiteRT.js', backend: 'webgpu', of: '@litertjs/core' },
  { engine: 'LiteRT.js', backend: 'wasm', of: '@litertjs/core' },
];
const ours = contenders[0];
/** Engines that also run on Dawn in Node. jax-js needs a newer Node than the project, LiteRT.js a page. */
const onDawn = ['clipscope', 'onnxruntime-web', 'tfjs'];
/** Most passes of one page: the first, which compiles, and warm ones until they took this many seconds together. */
const passes = 4;
const warmSeconds = 10;
/** Largest difference from our numbers; with a larger one, the engine computes something else. */
const tolerance = 1e-3;
const patience = 1_200_000;

const help = `npm run bench:peers -- [options]
  --runs N      rounds, each with a fresh browser for every engine (3)
  --only A,B    of: ${[...new Set(contenders.slice(1).map(({ engine }) => engine))].join(', ')} (all); ours is always run
  --dawn NAME   in Node, on the adapter with NAME in its name (llvmpipe); ${onDawn.slice(1).join(' and ')} run there
  --layers N    layers of the encoder (12); fewer only to see whether an engine works`;

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

function options() {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '3' },
      only: { type: 'string' },
      dawn: { type: 'string' },
      layers: { type: 'string', default: '12' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit();
  }
  const [runs, layers] = ['runs', 'layers'].map((name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`--${name} must be a whole number from 1, not "${values[name]}".`);
    return value;
  });
  const only = values.only?.split(',').map((name) => name.trim());
  const unknown = only?.find((name) => !contenders.some(({ engine }) => engine === name));
  if (unknown !== undefined) throw new Error(`--only does not know "${unknown}".\n${help}`);
  const { dawn } = values;
  const can = ({ engine, backend }) => dawn === undefined || (backend === 'webgpu' && onDawn.includes(engine));
  const chosen = contenders.filter((one) => can(one) && (one === ours || !only || only.includes(one.engine)));
  return { runs, layers, dawn, chosen };
}

function installPackages() {
  const installed = join(packages, '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(here, 'package-lock.json')).mtimeMs) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: here, stdio: 'inherit' });
}

/**
 * Serves the built page and the engines' WebAssembly to an isolated page (which threads need), and counts the code it
 * sends.
 */
async function serve() {
  const folders = {
    '/onnxruntime/': join(packages, 'onnxruntime-web/dist'),
    '/tfjs-core/': join(packages, '@tensorflow/tfjs-core/dist'),
    '/tfjs/': join(packages, '@tensorflow/tfjs-backend-wasm/dist'),
    '/litert/': join(packages, '@litertjs/core/wasm'),
    '/': built,
  };
  const types = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.mjs': 'text/javascript',
    '.wasm': 'application/wasm',
  };
  const sizes = new Map();
  const sent = new Set();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const prefix = Object.keys(folders).find((path) => pathname.startsWith(path));
    const name = pathname.slice(prefix.length) || 'index.html';
    const file = join(folders[prefix], name);
    if (name.includes('..') || !existsSync(file)) return response.writeHead(404).end();
    const type = types[extname(file)] ?? 'application/octet-stream';
    const content = readFileSync(file);
    if (type !== types['.html'] && !sizes.has(file)) sizes.set(file, gzipSync(content).length);
    if (sizes.has(file)) sent.add(file);
    response.writeHead(200, {
      'Content-Type': type,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    response.end(content);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://localhost:${server.address().port}/`,
    forget: () => sent.clear(),
    /** Gzipped bytes of JavaScript and WebAssembly since `forget`. */
    downloaded: () => [...sent].reduce((sum, file) => sum + sizes.get(file), 0),
    close: () => server.close(),
  };
}

/**
 * Sums over a browser's processes: resident memory now and at most so far, in MB, and processor seconds used. Undefined
 * if there is no /proc.
 */
async function usage(browser) {
  if (!existsSync('/proc/self/status')) return;
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const total = { now: 0, peak: 0, processor: 0 };
  for (const { id } of processInfo) {
    const status = readFileSync(`/proc/${id}/status`, 'utf8');
    const megabytes = (name) => Number(status.match(`${name}:\\s+(\\d+) kB`)?.[1] ?? 0) / 1000;
    total.now += megabytes('VmRSS');
    total.peak += megabytes('VmHWM');
    // After the name in brackets, which may contain anything, utime and stime are the 12th and 13th, in hundredths.
    const times = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1).split(' ').slice(11, 13);
    total.processor += times.reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
  }
  return total;
}

/** Runs one engine in a Node process of its own. Throws the engine's errors. */
function runInNode({ engine }, layers, adapter) {
  const onnxruntime = join(packages, 'onnxruntime-web/dist');
  const want = { adapter, engine, layers, count: passes, warmSeconds, onnxruntime };
  return new Promise((resolve, reject) => {
    const child = fork(join(builtForNode, 'dawn.js'), [JSON.stringify(want)], { silent: true });
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
    });
    child.on('message', (result) =>
      resolve({
        ...result,
        first: result.passes[0],
        passes: result.passes.slice(1),
        warm: median(result.passes.slice(1)),
      }),
    );
    child.on('exit', () => reject(new Error(/^\w*Error: .*$/m.exec(said)?.[0] ?? 'the process ended')));
  });
}

/** Runs one engine in a fresh browser. Throws the errors of its page. */
async function runInChromium({ engine, backend }, layers, server) {
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: [...chromiumArgs, '--js-flags=--expose-gc'],
  });
  let late;
  try {
    const page = await browser.newPage();
    const lost = new Promise((_, reject) => {
      page.on('crash', () => reject(new Error('the page crashed')));
      late = setTimeout(() => reject(new Error(`no result in ${patience / 60_000} minutes`)), patience);
    });
    const call = (name, argument) =>
      Promise.race([lost, page.evaluate(([name, argument]) => window.bench[name](argument), [name, argument])]);
    server.forget();
    await page.goto(`${server.url}?${new URLSearchParams({ engine, backend, layers, passes })}`);
    await page.waitForFunction(() => window.bench);
    const adapter = await call('adapter');
    const empty = await usage(browser);
    await call('prepare');
    const load = await call('load');
    const first = await call('pass', 0);
    const outputs = [first.output];
    const warm = [];
    const before = await usage(browser);
    for (let index = 1; index < passes && warm.reduce((sum, seconds) => sum + seconds, 0) < warmSeconds; index++) {
      const { seconds, output } = await call('pass', index);
      warm.push(seconds);
      outputs.push(output);
    }
    const after = await usage(browser);
    await call('collectGarbage');
    const full = await usage(browser);
    return {
      load,
      first: first.seconds,
      warm: median(warm),
      passes: warm,
      processor: after && (after.processor - before.processor) / warm.length,
      outputs,
      held: full && full.now - empty.now,
      peak: full && full.peak - empty.now,
      downloaded: server.downloaded(),
      adapter,
      browser: browser.version(),
    };
  } finally {
    clearTimeout(late);
    await browser.close();
  }
}

/** Returns the largest difference between two runs' outputs; NaN if one contains NaN. */
function difference(outputs, reference) {
  let largest = 0;
  for (const [pass, output] of outputs.slice(0, reference.length).entries()) {
    if (output.length !== reference[pass].length) return Number.NaN;
    for (const [i, value] of output.entries()) {
      const distance = Math.abs(value - reference[pass][i]);
      if (!(distance <= largest)) largest = distance;
    }
  }
  return largest;
}

/** Formats rows under a header as Markdown, with its columns lined up. */
function markdown(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i < 2 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

const version = ({ of }) =>
  of ? JSON.parse(readFileSync(join(packages, of, 'package.json'), 'utf8')).version : 'this one';

function report(results, failures) {
  const base = results.get(ours);
  const reference = base[0].outputs;
  const header = [
    'engine',
    'backend',
    'version',
    'load s',
    'first pass s',
    'warm pass s',
    'ratio to ours',
    'CPU s a pass',
    'CPU ratio',
    'max difference',
  ];
  const rows = [[...header, 'held MB', 'peak MB', 'code MB, gzip']];
  const wrong = [];
  for (const [contender, runs] of results) {
    const { engine, backend } = contender;
    const of = (name) => median(runs.map((run) => run[name]));
    // Ratios are taken round by round, because the load of the machine differs from round to round.
    const ratio = (name) => median(runs.map((run, round) => run[name] / base[round][name]));
    const off = Math.max(...runs.map(({ outputs }) => difference(outputs, reference)));
    const right = off <= tolerance;
    if (!right) wrong.push(`${engine} on ${backend}`);
    const number = (value, digits) => (value === undefined ? '–' : value.toFixed(digits));
    rows.push([
      engine,
      backend,
      version(contender),
      of('load').toFixed(2),
      of('first').toFixed(2),
      of('warm').toFixed(2),
      right ? ratio('warm').toFixed(2) : 'wrong',
      number(of('processor'), 2),
      right ? number(runs[0].processor && ratio('processor'), 2) : 'wrong',
      contender === ours ? '0' : off.toExponential(1),
      number(runs[0].held && of('held'), 0),
      number(runs[0].peak && of('peak'), 0),
      number(runs[0].downloaded && of('downloaded') / 1e6, 2),
    ]);
  }
  console.log(`\n${markdown(rows)}`);
  if (wrong.length) console.log(`\nWrong (more than ${tolerance} from ours): ${wrong.join(', ')}.`);
  for (const [{ engine, backend }, error] of failures) console.log(`\n${engine} on ${backend} failed: ${error}`);
}

let asked;
try {
  asked = options();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const { runs, layers, dawn, chosen } = asked;
installPackages();
await build({
  root: here,
  configFile: false,
  logLevel: 'error',
  build: {
    target: 'esnext',
    outDir: dawn ? builtForNode : built,
    emptyOutDir: true,
    chunkSizeWarningLimit: 4000,
    ssr: dawn && 'dawn.mjs',
  },
});
const server = dawn ? undefined : await serve();
const results = new Map();
const failures = new Map();
try {
  for (let round = 1; round <= runs; round++)
    for (const contender of chosen) {
      if (failures.has(contender)) continue;
      const { engine, backend } = contender;
      try {
        const result = await (dawn ? runInNode(contender, layers, dawn) : runInChromium(contender, layers, server));
        results.set(contender, [...(results.get(contender) ?? []), result]);
        const warm = result.passes.map((seconds) => seconds.toFixed(2)).join(', ');
        console.error(
          `${round}/${runs} ${engine} ${backend}: load ${result.load.toFixed(2)} s, first ${result.first.toFixed(2)} s, warm ${warm} s`,
        );
      } catch (error) {
        if (contender === ours) throw error;
        failures.set(contender, error.message.replace(/^page\.\w+: /, '').split('\n')[0]);
        results.delete(contender);
        console.error(`${round}/${runs} ${engine} ${backend}: ${failures.get(contender)}`);
      }
    }
} finally {
  server?.close();
}
const { adapter, browser } = results.get(ours)[0];
console.log(
  `\n${new Date().toISOString().slice(0, 10)}, ${browser ? `Chromium ${browser}` : 'Dawn in Node'}, ${adapter}, ${layers} layers, F32, one pass of 77 tokens; rounds: ${runs}, medians of theirs`,
);
report(results, failures);
