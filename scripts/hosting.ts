// Makes the build fit for any host: a Content-Security-Policy in its pages, a service worker that keeps it for visits
// without a network, and an archive of it.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Plugin } from 'vite';
import { writeZip } from '../src/files/zipWriter.ts';
import { modelOrigins } from '../src/models/library/modelSources.ts';

/**
 * Returns the policy of a page that may connect to itself and to `origins`. Nothing is loaded from elsewhere. Styles may stand in the page,
 * because the editor writes its own: without any other source, a style has nowhere to send anything.
 */
export function pagePolicy(origins: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    // Workers begin as blobs, by which the browser holds them to this policy, too.
    "worker-src 'self' blob:",
    `connect-src 'self' ${origins.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

const policyTag = (origins: readonly string[]) =>
  `<meta http-equiv="Content-Security-Policy" content="${pagePolicy(origins)}" />`;

/** The second page, which may connect to any address. */
const anyAddressPage = 'any-address.html';
const workerName = 'sw.js';

/** Names of the files in a folder, with `/` between folders, in the order of their letters. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.split(sep).join('/'))
    .sort();
}

/** Whether visits without a network need a file: not the worker itself, nor what lies beside a model for people and other programs. */
const isNeeded = (name: string) => name !== workerName && !/^small-.*\/(?!model\.safetensors$)/.test(name);

/** Writes the service worker of the build in `folder`, which has every file there that the page needs. */
function writeServiceWorker(folder: string): void {
  const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes);
  const files = filesIn(folder)
    .filter(isNeeded)
    .map((name) => ({ name, integrity: `sha256-${sha256(readFileSync(join(folder, name))).digest('base64')}` }));
  const version = sha256(JSON.stringify(files)).digest('hex').slice(0, 16);
  const listed = files.map(({ name, integrity }) => [
    name,
    { ...(!name.endsWith('.html') && { integrity }), ...(name === anyAddressPage && { mayBeAbsent: true }) },
  ]);
  const [, entry] = /<script [^>]*src="\.\/([^"]+)"/.exec(readFileSync(join(folder, 'index.html'), 'utf8'))!;
  const build = JSON.stringify({ version, entry, files: Object.fromEntries(listed) });
  const code = readFileSync('scripts/serviceWorker.mjs', 'utf8');
  writeFileSync(join(folder, workerName), `const build = ${build};\n${code}`);
}

const howTo = `This is clipscope, whole. Browsers run it from a server, and any server of static files will do. In this folder, type one of

  python3 -m http.server 8000
  npx serve -l 8000

and open http://localhost:8000/ in a browser.
`;

/** Writes the files in `folder` as an archive of one folder. Equal builds make equal archives. */
function writeArchive(folder: string, archive: string): void {
  const files = filesIn(folder).map((name) => ({ name, data: new Uint8Array(readFileSync(join(folder, name))) }));
  const all = [{ name: 'HOW-TO-OPEN.txt', data: new TextEncoder().encode(howTo) }, ...files];
  writeFileSync(archive, writeZip(all.map(({ name, data }) => ({ name: `clipscope/${name}`, data }))));
}

export function hosting(): Plugin {
  let folder = '';
  return {
    name: 'clipscope-hosting',
    apply: 'build',
    enforce: 'post',
    configResolved: ({ root, build }) => {
      folder = join(root, build.outDir);
    },
    transformIndexHtml: {
      order: 'post',
      handler: (html) => html.replace(/(<meta charset[^>]*>)/, `$1\n    ${policyTag(modelOrigins)}`),
    },
    writeBundle() {
      const page = readFileSync(join(folder, 'index.html'), 'utf8');
      writeFileSync(
        join(folder, anyAddressPage),
        page.replace(policyTag(modelOrigins), policyTag(['https:', 'http:'])),
      );
      writeServiceWorker(folder);
      writeArchive(folder, 'clipscope-offline.zip');
    },
  };
}
