// Compares the encoder with other engines, in one Chromium or in Node: node e2e/peers/run.mjs --cpu --only LiteRT.js
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'vite';
import { isOurs, settings } from './contenders.mjs';
import { openInChromium, serve } from './inChromium.mjs';
import { openInNode } from './inNode.mjs';
import { median, reportApart, reportTogether } from './report.mjs';

/**
 * @typedef {object} Session one engine, loaded
 * @property {number} load seconds
 * @property {string} adapter
 * @property {string} [browser] its version
 * @property {number} empty memory of the processes before the engine was there, in MB
 * @property {(index: number, check?: boolean) => Promise<{ seconds: number, output?: number[] }>} pass
 * @property {(index: number) => Promise<number | null | undefined>} edit
 * @property {() => ReturnType<typeof import('./processes.mjs').usage>} usage
 * @property {() => Promise<void>} collectGarbage
 * @property {() => number} [downloaded] gzipped bytes of the code that the page loaded
 * @property {() => Promise<void>} close
 */

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, 'node_modules');
const builtPage = join(packages, '.page');
const builtForNode = join(packages, '.node');

/** With every engine apart: most warm passes of one page, unless they take this many seconds together before. */
const warmPasses = 3;
const warmSeconds = 10;
/** With all engines loaded: milliseconds between two passes, in which an engine's threads fall asleep. */
const rest = 200;

const known = [...new Set(Object.values(settings).flatMap(({ among }) => among(1).filter((one) => !isOurs(one))))];
const help = `npm run bench:peers -- [options]
  --cpu         on the processor: WebAssembly in Chromium, our pages without cross-origin isolation
  --node        on the processor in Node: onnxruntime-node, which is native
  --dawn NAME   in Node on WebGPU, on the adapter with NAME in its name (llvmpipe)
                (none of these: on WebGPU in Chromium, and the others in WebAssembly too)
  --threads A,B with --cpu and --node: numbers of threads (1,2)
  --runs N      rounds (3; with --cpu and --node 10)
  --only A,B    of: ${[...new Set(known.map(({ engine }) => engine))].join(', ')} (all); ours is always run
  --layers N    layers of the encoder (12); fewer only to see whether an engine works`;

function wholeNumber(text, name) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a whole number from 1, not "${text}".`);
}

function options() {
  const { values } = parseArgs({
    options: {
      cpu: { type: 'boolean' },
      node: { type: 'boolean' },
      dawn: { type: 'string' },
      threads: { type: 'string' },
      runs: { type: 'string' },
      only: { type: 'string' },
      layers: { type: 'string', default: '12' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit();
  }
  const asked = ['cpu', 'node', 'dawn'].filter((name) => values[name] !== undefined);
  if (asked.length > 1) throw new Error(`--${asked.join(' and --')} are different comparisons: ask for one.`);
  const setting = asked[0] ?? 'webgpu';
  const together = setting === 'cpu' || setting === 'node';
  if (values.threads && !together) throw new Error('--threads is for --cpu and --node.');
  const threads = (values.threads ?? '1,2').split(',').map((text) => wholeNumber(text, 'threads'));
  const runs = wholeNumber(values.runs ?? (together ? '10' : '3'), 'runs');
  const only = values.only?.split(',').map((name) => name.trim());
  const unknown = only?.find((name) => !known.some(({ engine }) => engine === name));
  if (unknown !== undefined) throw new Error(`--only does not know "${unknown}".\n${help}`);
  const among = (threads) =>
    settings[setting].among(threads).filter((one) => isOurs(one) || !only || only.includes(one.engine));
  return {
    setting,
    together,
    threads,
    runs,
    among,
    layers: wholeNumber(values.layers, 'layers'),
    adapter: values.dawn,
  };
}

function installPackages() {
  const installed = join(packages, '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(here, 'package-lock.json')).mtimeMs) return;
  // Nothing is downloaded but the packages: install scripts would fetch drivers that are not used here.
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: here, stdio: 'inherit' });
}

/** Builds the pages or the Node program; returns what opens an engine there. */
async function prepare({ setting, layers, adapter, count }) {
  const inNode = setting === 'node' || setting === 'dawn';
  await build({
    root: here,
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: {
      target: 'esnext',
      outDir: inNode ? builtForNode : builtPage,
      emptyOutDir: true,
      chunkSizeWarningLimit: 4000,
      ssr: inNode && 'nodeProcess.mjs',
    },
  });
  if (inNode) {
    const want = { layers, count, adapter, onnxruntime: join(packages, 'onnxruntime-web/dist') };
    return { open: (contender) => openInNode(contender, want, join(builtForNode, 'nodeProcess.js')), close() {} };
  }
  const server = await serve(packages, builtPage);
  return { open: (contender) => openInChromium(contender, { layers, count }, server), close: server.close };
}

/** Runs `work`; an error of another engine than ours is kept in `failures`, and undefined is returned. */
async function attempt(contender, failures, work) {
  try {
    return await work();
  } catch (error) {
    if (isOurs(contender)) throw error;
    failures.set(contender, error.message.replace(/^page\.\w+: /, '').split('\n')[0]);
    console.error(`${contender.engine} ${contender.backend}: ${failures.get(contender)}`);
  }
}

/** Loads one engine, times its first pass and warm ones, and ends it. */
async function runApart(contender, open) {
  const session = await open(contender);
  try {
    const first = await session.pass(0, true);
    const outputs = [first.output];
    const warm = [];
    const before = session.usage();
    for (let i = 1; i <= warmPasses && warm.reduce((sum, seconds) => sum + seconds, 0) < warmSeconds; i++) {
      const { seconds, output } = await session.pass(i, true);
      warm.push(seconds);
      outputs.push(output);
    }
    const after = session.usage();
    await session.collectGarbage();
    const full = session.usage();
    return {
      load: session.load,
      first: first.seconds,
      warm: median(warm),
      passes: warm,
      processor: after && (after.processor - before.processor) / warm.length,
      outputs,
      held: full && full.now - session.empty,
      peak: full && full.peak - session.empty,
      downloaded: session.downloaded?.(),
      adapter: session.adapter,
      browser: session.browser,
    };
  } finally {
    await session.close();
  }
}

/** Rounds in which each engine is loaded anew: no two are in memory at once. */
async function compareApart(contenders, runs, open) {
  const results = new Map();
  const failures = new Map();
  for (let round = 1; round <= runs; round++)
    for (const contender of contenders.filter((one) => !failures.has(one))) {
      const result = await attempt(contender, failures, () => runApart(contender, open));
      if (!result) {
        results.delete(contender);
        continue;
      }
      results.set(contender, [...(results.get(contender) ?? []), result]);
      const { load, first, passes } = result;
      const warm = passes.map((seconds) => seconds.toFixed(2)).join(', ');
      const name = `${contender.engine} ${contender.backend}`;
      console.error(`${round}/${runs} ${name}: load ${load.toFixed(2)} s, first ${first.toFixed(2)} s, warm ${warm} s`);
    }
  return { results, failures };
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Loads all engines, then lets each run one pass a round. */
async function compareTogether(contenders, runs, open) {
  const sessions = new Map();
  const results = new Map();
  const failures = new Map();
  try {
    for (const contender of contenders)
      await attempt(contender, failures, async () => {
        const session = await open(contender);
        sessions.set(contender, session);
        const { seconds, output } = await session.pass(0, true);
        await session.collectGarbage();
        const full = session.usage();
        const { load, adapter, browser } = session;
        results.set(contender, {
          load,
          first: seconds,
          outputs: [output],
          held: full && full.now - session.empty,
          peak: full && full.peak - session.empty,
          downloaded: session.downloaded?.(),
          adapter,
          browser,
          passes: [],
          processor: [],
          edits: [],
        });
        console.error(
          `${contender.engine} ${contender.backend}, threads: ${contender.threads}: load ${load.toFixed(2)} s`,
        );
      });
    // Round 0 is not timed: some engines compile their WebAssembly for speed only after the first pass.
    for (let round = 0; round <= runs; round++)
      for (const [contender, result] of results) {
        const session = sessions.get(contender);
        await sleep(rest);
        const before = session.usage();
        const { seconds } = await session.pass(round + 1);
        const after = session.usage();
        const edit = await session.edit(round + 1);
        if (round === 0) continue;
        result.passes.push(seconds);
        if (after) result.processor.push(after.processor - before.processor);
        if (typeof edit === 'number') result.edits.push(edit);
      }
    for (const [contender, { outputs }] of results)
      outputs.push((await sessions.get(contender).pass(runs + 2, true)).output);
  } finally {
    for (const session of sessions.values()) await session.close();
  }
  return { results, failures };
}

let asked;
try {
  asked = options();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const { together, threads, runs, among, layers } = asked;
installPackages();
const place = await prepare({ ...asked, count: together ? runs + 3 : warmPasses + 1 });
const where = (adapter, browser) =>
  `${new Date().toISOString().slice(0, 10)}, ${browser ? `Chromium ${browser}` : `Node ${process.version}`}, ${adapter}, ${layers} layers, F32, one pass of 77 tokens; rounds: ${runs}`;
try {
  if (together)
    for (const number of threads) {
      const { results, failures } = await compareTogether(among(number), runs, place.open);
      const [{ adapter, browser }] = results.values();
      console.log(`\n${where(adapter, browser)}; threads: ${number}`);
      reportTogether(results, failures, packages);
    }
  else {
    const { results, failures } = await compareApart(among(), runs, place.open);
    const [[{ adapter, browser }]] = results.values();
    console.log(`\n${where(adapter, browser)}, medians of theirs`);
    reportApart(results, failures, packages);
  }
} finally {
  place.close();
}
