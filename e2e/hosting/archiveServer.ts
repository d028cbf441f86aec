import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { blobSource } from '../../src/files/sources.ts';
import { entryStart, readZipDirectory } from '../../src/files/zipDirectory.ts';

const types: Readonly<Record<string, string>> = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  png: 'image/png',
  webmanifest: 'application/manifest+json',
};

export interface ArchiveServer {
  /** Address of the folder. */
  readonly address: string;
  /** Files by their names in the folder, which a test may change. */
  readonly files: Map<string, Uint8Array>;
  /** Names of the files that were asked for. */
  readonly asked: string[];
  /** Addresses of pages that requests told. */
  readonly referrers: string[];
  close(): Promise<void>;
}

/** Reads the archive of the build. */
async function readArchive(): Promise<Map<string, Uint8Array>> {
  const fail = (why: string): never => {
    throw new Error(`clipscope-offline.zip ${why}`);
  };
  const source = blobSource(new Blob([readFileSync('clipscope-offline.zip')]), 'clipscope-offline.zip');
  const files = new Map<string, Uint8Array>();
  for (const entry of (await readZipDirectory(source, fail)).values()) {
    const start = await entryStart(source, entry, fail);
    files.set(entry.name.replace(/^clipscope\//, ''), await source.read(start, start + entry.size));
  }
  return files;
}

/** Serves the files of the archive in a folder, as any server of static files does, and nothing beside them. */
export async function serveArchive(folder: string): Promise<ArchiveServer> {
  const files = await readArchive();
  const asked: string[] = [];
  const referrers: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const name = pathname.startsWith(folder) ? pathname.slice(folder.length) || 'index.html' : '';
    asked.push(name);
    if (request.headers.referer) referrers.push(request.headers.referer);
    const file = files.get(name);
    const type = types[name.split('.').at(-1)!] ?? 'application/octet-stream';
    response.writeHead(file ? 200 : 404, { 'content-type': type, 'content-length': file?.length ?? 0 });
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://localhost:${port}${folder}`,
    files,
    asked,
    referrers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
