import { expect, test } from '@playwright/test';
import { chromiumArgs, findChromium } from '../scripts/chromium.mjs';
import { openPage, openTiny, openView, prompt, status, tokenRows, withoutWebAssembly } from './page.ts';

// A file of its own, because these switches need a browser of their own: neither a GPU nor a software adapter is allowed.
test.use({
  launchOptions: {
    executablePath: findChromium(),
    args: [...chromiumArgs, '--disable-gpu', '--disable-software-rasterizer'],
  },
});

test('a browser with WebGPU but no adapter encodes on the CPU, and says why', async ({ page }) => {
  await openTiny(page);
  expect(await page.evaluate(() => 'gpu' in navigator)).toBe(true);
  await expect(page.locator('#encoder')).toContainText(
    'WebGPU finds no graphics adapter, so the encoder runs on the CPU with 1 thread.',
  );
  await prompt(page).fill('a blue house');
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
});

test('WebGPU that was chosen but has no adapter is one sentence, and a button goes on with the CPU', async ({
  page,
}) => {
  await openPage(page, 'webgpu');
  const notice = page.getByRole('alert');
  await expect(notice).toContainText(/WebGPU finds no graphics adapter; .*, or choose the CPU\./);
  await expect(notice).toContainText('Tokens, weights and masks work');
  await expect(status(page)).toHaveText('No encoder: tokens, weights and masks only');
  await prompt(page).fill('a (red:1.3) car');
  await expect(tokenRows(page).nth(2)).toContainText('1.3');
  await openView(page, 'Attention');
  await expect(page.locator('#attention')).toContainText('which cannot run here');
  await notice.getByRole('button', { name: 'Use the CPU' }).click();
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  await expect(notice).toHaveCount(0);
  await expect(page.getByRole('combobox', { name: 'Engine' })).toHaveValue('cpu');
});

test('a browser without WebAssembly is told in words, and no button leads to what was tried', async ({ page }) => {
  await withoutWebAssembly(page);
  await openPage(page);
  const notice = page.getByRole('alert');
  await expect(notice).toContainText('There is no WebAssembly here');
  await expect(notice.getByRole('button')).toHaveCount(0);
  await prompt(page).fill('a (red:1.3) car');
  await expect(tokenRows(page).nth(2)).toContainText('1.3');
});
