// Times the waits of a person on the built page, other than for an encode: npm run bench:page -- first --runs 9
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { build, preview } from 'vite';
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs';
import { clipVitL14 } from '../../src/clip/config.ts';
import { writeCheckpointFile } from '../../src/models/testing/checkpoints.ts';
import { firstVisit } from './firstVisit.mjs';

const name = 'full-size.safetensors';
/** Milliseconds that are more than enough for a software adapter to compile ahead. */
const compiling = 30_000;

const sorted = (values) => values.toSorted((a, b) => a - b);
const median = (values) => sorted(values)[values.length >> 1];
const times = (values) =>
  `${median(values).toFixed(1)} ms (${sorted(values)
    .map((ms) => ms.toFixed(0))
    .join(', ')})`;

/** Counts the hashes of weights that the worker has made. Each of them reads the whole file again after the load. */
function countHashes() {
  window.hashes = 0;
  const Plain = Worker;
  window.Worker = class extends Plain {
    constructor(...of) {
      super(...of);
      this.addEventListener('message', ({ data }) => {
        // No other call is answered with a text.
        if (data?.type === 'answer' && typeof data.answer === 'string') window.hashes++;
      });
    }
  };
}

/**
 * Measures the milliseconds from choosing the file until the model is in use, and of only reading the file, also in a
 * worker.
 */
async function load(page, path) {
  await page.evaluate(() => {
    window.hashes = 0;
    const status = document.querySelector('[aria-label="Encoder status"]');
    const input = document.querySelector('[aria-label="Open files…"]');
    window.loaded = new Promise((resolve) => {
      let start;
      input.addEventListener(
        'change',
        () => {
          start = performance.now();
          window.file = input.files[0];
        },
        { capture: true, once: true },
      );
      new MutationObserver((_, observer) => {
        // The status goes on to "Encoding with …" after the load.
        if (start === undefined || !status.textContent.startsWith('Encoding')) return;
        observer.disconnect();
        resolve(performance.now() - start);
      }).observe(status, { childList: true, characterData: true, subtree: true });
    });
  });
  await page.getByLabel('Open files…').setInputFiles(path);
  const loaded = await page.evaluate(() => window.loaded);
  await page.waitForFunction(
    (name) =>
      window.hashes > 0 &&
      document.querySelector('[aria-label="Encoder status"]').textContent.startsWith(`Ready: ${name}`),
    name,
  );
  const read = await page.evaluate(async () => {
    const code = `onmessage = async ({ data: file }) => {
      const start = performance.now();
      for (let at = 0; at < file.size; at += 4e6) await file.slice(at, at + 4e6).arrayBuffer();
      postMessage(performance.now() - start);
    }`;
    const worker = new Worker(URL.createObjectURL(new Blob([code])));
    const answer = new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
    worker.postMessage(window.file);
    const milliseconds = await answer;
    worker.terminate();
    return milliseconds;
  });
  return { loaded, read };
}

/**
 * Measures the milliseconds of drawing 144 maps of 77 × 77 in other colours, with everything else that changes then,
 * until their pixels are there.
 */
function redraw(page, kind) {
  return page.getByLabel('Colour scale').evaluate(async (select, kind) => {
    const canvas = document.querySelector('[class*="_overview-picture_"] canvas');
    const context = canvas.getContext('2d');
    const setValue = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set;
    const start = performance.now();
    setValue.call(select, kind);
    select.dispatchEvent(new Event('change', { bubbles: true }));
    // React handles what a person did in a microtask.
    await null;
    await null;
    context.getImageData(0, 0, 1, 1);
    return performance.now() - start;
  }, kind);
}

/** Times first visits, each with a browser of its own. */
async function timeFirstVisits(address, runs) {
  console.log(`\nFirst visit, from the navigation until the small model is ready, ${runs} runs, medians (all):`);
  for (const engine of ['cpu', 'automatic']) {
    const visits = [];
    for (let run = 0; run < runs; run++) visits.push(await firstVisit(address, engine));
    const ready = times(visits.map(({ ready }) => ready));
    console.log(`  ${engine.padEnd(10)} ${ready}; first paint ${times(visits.map(({ painted }) => painted))}`);
  }
}

/** Times loads of a large model, and then the redrawing of its maps. */
async function timeLoads(address, runs) {
  const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
  const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  try {
    const path = join(folder, name);
    // A model as large as Stable Diffusion 1.5's text encoder.
    await writeCheckpointFile(path, { config: clipVitL14, dtype: 'F16', layout: 'hf' });
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    page.setDefaultTimeout(180_000);
    await page.addInitScript(countHashes);
    await page.goto(address);
    await page.waitForFunction(() =>
      document.querySelector('[aria-label="Encoder status"]')?.textContent.startsWith('Ready'),
    );
    // The first load compiles the kernels for this type of weights.
    const cold = await load(page, path);
    // Kernels that a later edit needs are compiled after the first load. The loads that follow compile nothing.
    await page.waitForTimeout(compiling);
    const loads = [];
    for (let run = 0; run < runs; run++) loads.push(await load(page, path));
    const ratio = median(loads.map(({ loaded, read }) => loaded / read));
    console.log(`\nF16 checkpoint of 246 MB from disk, ${runs} runs, medians (all):`);
    console.log(
      `  to the model in use  ${times(loads.map(({ loaded }) => loaded))}; the first time ${times([cold.loaded])}`,
    );
    console.log(`  reading it alone     ${times(loads.map(({ read }) => read))}`);
    console.log(`  ratio                ${ratio.toFixed(2)}`);
    await timeRedraws(page, runs);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}

async function timeRedraws(page, runs) {
  await page.getByLabel('Hide PAD').uncheck();
  const redraws = { linear: [], sqrt: [], log: [] };
  for (let run = 0; run <= runs; run++)
    for (const [kind, all] of Object.entries(redraws)) all.push(await redraw(page, kind));
  console.log('\nOverview of 12 × 12 heads, 77 × 77 each, drawn in other colours:');
  // The first of each kind compiles the script.
  for (const [kind, all] of Object.entries(redraws)) console.log(`  ${kind.padEnd(8)} ${times(all.slice(1))}`);
}

const parts = { first: timeFirstVisits, loads: timeLoads };

/** Runs the parts that are named, or all. Returns the exit code of `npm run bench:page`. */
export async function main(args) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { runs: { type: 'string', default: '7' } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined) {
    console.error(`There is no part "${unknown}"; the parts are ${Object.keys(parts).join(' and ')}.`);
    return 1;
  }
  const runs = Math.max(1, Number(values.runs) || 7);
  // This process sets NODE_ENV for development, in which React checks everything.
  process.env.NODE_ENV = 'production';
  await build({ logLevel: 'warn' });
  const server = await preview({ preview: { port: 0 }, logLevel: 'silent' });
  try {
    for (const part of positionals.length > 0 ? positionals : Object.keys(parts))
      await parts[part](server.resolvedUrls.local[0], runs);
  } finally {
    await server.close();
  }
  return 0;
}
