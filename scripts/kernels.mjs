// Compiles the CPU's kernels, AssemblyScript, into the WebAssembly modules that are kept beside them: as text, two hexadecimal digits
// a byte, since they come within scripts. Gzip leaves a quarter less of it than of base64, in which bytes that recur look different.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = 'src/cpu/kernels';

/** The modules by file name: the file that says what each exports, and the compiler's switches in which they differ. */
const modules = {
  'kernels.wasm': { index: 'index.ts', switches: [] },
  'kernels_relaxed.wasm': { index: 'index.ts', switches: ['--enable', 'relaxed-simd'] },
  'kernels_backward.wasm': { index: 'index_backward.ts', switches: [] },
  'kernels_pictures.wasm': { index: 'index_pictures.ts', switches: [] },
};

/**
 * Compiles all modules. Returns the bytes by file name; throws where the compiler objects. `entry` stands in for the text that says
 * what a module exports.
 * @param {string} [entry]
 * @returns {Promise<Record<string, Uint8Array<ArrayBuffer>>>}
 */
export async function compileModules(entry) {
  const names = Object.keys(modules);
  const compiled = await Promise.all(names.map((name) => compile(modules[name], entry)));
  return Object.fromEntries(names.map((name, i) => [name, compiled[i]]));
}

async function compile({ index: file, switches }, entry) {
  const index = join(folder, file);
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
    writeFileSync(join(folder, `${name}.hex`), Buffer.from(bytes).toString('hex'));
    console.log(`${name}: ${bytes.length} bytes`);
  }
