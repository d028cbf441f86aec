import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs';
import { usage } from './processes.mjs';

const patience = 1_200_000;
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/**
 * Serves the built page and the engines' WebAssembly, and counts the code it sends. The page is cross-origin isolated,
 * which the others' threads need, unless its address says `isolated=false`.
 */
export async function serve(packages, built) {
  const folders = {
    '/onnxruntime/': join(packages, 'onnxruntime-web/dist'),
    '/tfjs-core/': join(packages, '@tensorflow/tfjs-core/dist'),
    '/tfjs/': join(packages, '@tensorflow/tfjs-backend-wasm/dist'),
    '/litert/': join(packages, '@litertjs/core/wasm'),
    '/': built,
  };
  const sizes = new Map();
  const sent = new Set();
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const prefix = Object.keys(folders).find((path) => pathname.startsWith(path));
    const name = pathname.slice(prefix.length) || 'index.html';
    const file = join(folders[prefix], name);
    if (name.includes('..') || !existsSync(file)) return response.writeHead(404).end();
    const type = types[extname(file)] ?? 'application/octet-stream';
    const content = readFileSync(file);
    if (type !== types['.html'] && !sizes.has(file)) sizes.set(file, gzipSync(content).length);
    if (sizes.has(file)) sent.add(file);
    const isolation = searchParams.get('isolated') !== 'false' && {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    };
    response.writeHead(200, { 'Content-Type': type, ...isolation }).end(content);
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

async function processIds(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.map(({ id }) => id);
}

/**
 * Loads one engine in a browser of its own, for at most `count` inputs. Its calls throw the errors of the page.
 * @returns {Promise<import('./run.mjs').Session>}
 */
export async function openInChromium({ engine, backend, threads, isolated = true }, { layers, count }, server) {
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
    lost.catch(() => {});
    const call = (name, ...of) =>
      Promise.race([lost, page.evaluate(([name, of]) => window.bench[name](...of), [name, of])]);
    server.forget();
    const asked = { engine, backend, layers, passes: count, isolated, ...(threads && { threads }) };
    await page.goto(`${server.url}?${new URLSearchParams(asked)}`);
    await page.waitForFunction(() => window.bench);
    if ((await page.evaluate(() => crossOriginIsolated)) !== isolated)
      throw new Error(`the page is ${isolated ? 'not ' : ''}cross-origin isolated`);
    const adapter = await call('adapter');
    const empty = usage(await processIds(browser));
    await call('prepare');
    const load = await call('load');
    const ids = await processIds(browser);
    return {
      load,
      adapter,
      browser: browser.version(),
      empty: empty?.now ?? 0,
      pass: (index, check) => call('pass', index, check),
      edit: (index) => call('edit', index),
      usage: () => usage(ids),
      collectGarbage: () => call('collectGarbage'),
      downloaded: server.downloaded,
      async close() {
        clearTimeout(late);
        await browser.close();
      },
    };
  } catch (error) {
    clearTimeout(late);
    await browser.close();
    throw error;
  }
}
