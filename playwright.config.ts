import { defineConfig } from '@playwright/test';
import { chromiumArgs, findChromium } from './scripts/chromium.mjs';

export default defineConfig({
  testDir: 'e2e',
  // A full-size encode takes seconds on a software adapter, and two at once take twice as long.
  timeout: 180_000,
  expect: { timeout: 60_000 },
  // Most tests wait for the page and not for the GPU.
  workers: 2,
  reporter: [['list']],
  use: {
    baseURL: 'http://localhost:4173',
    launchOptions: { executablePath: findChromium(), args: chromiumArgs },
  },
  // A server that is already running may serve another build.
  webServer: { command: 'npx vite preview --strictPort', url: 'http://localhost:4173', reuseExistingServer: false },
});
