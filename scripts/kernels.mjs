// Compiles the CPU's kernels, AssemblyScript, into the two WebAssembly modules that are kept beside them.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = 'src/cpu/kernels';

/** The modules by file name, with the compiler's switches in which they differ. */
const modules = { 'kernels.wasm': [], 'kernels_relaxed.wasm': ['--enable', 'relaxed-simd'] };

/**
 * Compiles the kernels twice. Returns the bytes by file name; throws where the compiler objects. `entry` stands in for the text of
 * index.ts, which says what a module exports.
 * @param {string} [entry]
 * @returns {Promise<Record<string, Uint8Array<ArrayBuffer>>>}
 */
export async function compileModules(entry) {
  const names = Object.keys(modules);
  const compiled = await Promise.all(names.map((name) => compile(modules[name], entry)));
  return Object.fromEntries(names.map((name, i) => [name, compiled[i]]));
}

async function compile(switches, entry) {
  const index = join(folder, 'index.ts');
  const common = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--enable', 'simd'];
  let bytes;
  const { error, stderr } = await asc.main([index, ...common, ...switches, '--outFile', 'kernels.wasm'], {
    readFile: (name, base) => (name === index && entry ? entry : readFile(join(base, name), 'utf8').catch(() => null)),
    writeFile: (name, contents) => {
      if (name === 'kernels.wasm') bytes = contents;
    },
  });
  if (error) throw new Error(`The kernels do not compile.\n${stderr}`);
  return bytes;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const [name, bytes] of Object.entries(await compileModules())) {
    writeFileSync(join(folder, name), bytes);
    console.log(`${name}: ${bytes.length} bytes`);
  }
