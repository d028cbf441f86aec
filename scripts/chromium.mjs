import { existsSync } from 'node:fs';
import { chromium } from 'playwright';

/** Chromium without windows: it opens a page for half the work. */
const headlessShell = '/usr/bin/chromium-headless-shell';

/** Finds a Chromium with everything that a person's has: CHROMIUM_PATH, the system's, or Playwright's own; undefined if there is none. */
export function findWholeChromium() {
  const candidates = [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    chromium.executablePath(),
  ];
  return candidates.find((path) => path && existsSync(path));
}

/** Finds the Chromium to test with: CHROMIUM_PATH, the headless shell, or a whole one; undefined if there is none. */
export const findChromium = () =>
  !process.env.CHROMIUM_PATH && existsSync(headlessShell) ? headlessShell : findWholeChromium();

/** Switches that give headless Chromium WebGPU on SwiftShader if there is no GPU, and keep it off the network. */
export const chromiumArgs = [
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
