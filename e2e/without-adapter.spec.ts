import { expect, test } from '@playwright/test';
import { chromiumArgs, findChromium } from '../scripts/chromium.mjs';
import { openView, status, tokenRows } from './page.ts';

// A file of its own, because these switches need a browser of their own: neither a GPU nor a software adapter is allowed.
test.use({
  launchOptions: {
    executablePath: findChromium(),
    args: [...chromiumArgs, '--disable-gpu', '--disable-software-rasterizer'],
  },
});

test('a browser with WebGPU but no adapter says so', async ({ page }) => {
  await page.goto('/');
  expect(await page.evaluate(() => 'gpu' in navigator)).toBe(true);
  await expect(page.getByRole('alert')).toContainText('WebGPU found no graphics adapter');
  await expect(status(page)).toContainText('No WebGPU');
  await openView(page, 'Tokens');
  await expect(tokenRows(page)).not.toHaveCount(0);
});
