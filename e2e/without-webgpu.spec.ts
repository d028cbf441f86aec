import { expect, test } from '@playwright/test';
import { openOptions, openView, pixel, prompt, status, tokenRows } from './page.ts';

test('without WebGPU: what is missing is said, and tokens, weights and masks work', async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
  const failures: string[] = [];
  page.on('pageerror', ({ message }) => failures.push(message));
  await page.goto('/');
  await expect(page.getByRole('alert')).toContainText('This browser offers no WebGPU.');
  await expect(page.getByRole('alert')).toContainText('Tokens, weights and masks work');
  await expect(status(page)).toHaveText('No WebGPU: tokens, weights and masks only');
  await prompt(page).fill('a (red:1.3) car');
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(2)).toContainText('1.3');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  await expect(tokenRows(page).last().getByRole('cell').last()).toHaveText('0');
  const product = page.locator('#masks').getByRole('img', { name: /^Product/ });
  await openView(page, 'Masks');
  await expect.poll(async () => (await pixel(product, 20, 60))[3]).toBe(0);
  expect((await pixel(product, 2, 60))[3]).toBe(255);
  await openView(page, 'Attention');
  await expect(page.locator('#attention')).toContainText('needs WebGPU');
  expect(failures).toEqual([]);
});
