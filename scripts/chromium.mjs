import { existsSync } from 'node:fs';
import { chromium } from 'playwright';

/** Finds the Chromium to test with: CHROMIUM_PATH, the system's, or Playwright's own; undefined if there is none. */
export function findChromium() {
  const candidates = [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    chromium.executablePath(),
  ];
  return candidates.find((path) => path && existsSync(path));
}

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
