import { defineConfig } from '@playwright/test';
import { chromiumArgs, findChromium } from './scripts/chromium.mjs';

export default defineConfig({
  testDir: 'e2e',
  // Most tests take seconds; axe looks at every view, and other programs may need the machine, too.
  timeout: 180_000,
  expect: { timeout: 60_000 },
  workers: 2,
  reporter: [['list']],
  use: {
    baseURL: 'http://localhost:4173',
    // A page that the browser keeps would pass by the answers that tests give in the server's place; hosting.spec allows it.
    serviceWorkers: 'block',
    launchOptions: { executablePath: findChromium(), args: chromiumArgs },
  },
  // A server that is already running may serve another build.
  webServer: { command: 'npx vite preview --strictPort', url: 'http://localhost:4173', reuseExistingServer: false },
});
