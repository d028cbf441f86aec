import { expect, test } from '@playwright/test';
import { openOptions, openPage, openTiny, openView, own, pixel, pointAt, prompt, tokenRows } from './page.ts';

/** Mask bits of BOS, "a", "cat", EOS and the PAD run. */
const bits = {
  causal: ['1', '1', '1', '1', '1'],
  hf: ['1', '1', '1', '1', '0'],
  lecture: ['1', '1', '1', '0', '0'],
  none: ['1', '1', '1', '1', '1'],
};

test('each mask mode: its bits in the table, its cells in the picture', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a cat');
  const product = page.locator('#masks').getByRole('img', { name: /^Product/ });
  // [query, key]: the diagonal, the future, EOS as a key, PAD as a key.
  const cells = [
    [2, 2],
    [1, 2],
    [5, 3],
    [6, 5],
  ] as const;
  const visible = {
    causal: [true, false, true, true],
    hf: [true, false, true, false],
    lecture: [true, false, false, false],
    none: [true, true, true, true],
  };
  for (const mode of ['causal', 'hf', 'lecture', 'none'] as const) {
    await openOptions(page);
    await page.getByRole('combobox', { name: 'Mask' }).selectOption(mode);
    await openView(page, 'Tokens');
    await expect(tokenRows(page).getByRole('cell').nth(4)).toHaveText('1');
    for (let row = 0; row < 5; row++)
      await expect(tokenRows(page).nth(row).getByRole('cell').nth(4)).toHaveText(bits[mode][row]);
    await openView(page, 'Masks');
    for (const [i, [query, key]] of cells.entries())
      await expect
        .poll(async () => (await pixel(product, key, query))[3], { message: `${mode}, cell ${query}, ${key}` })
        .toBe(visible[mode][i] ? 255 : 0);
  }
});

test('the readout says which mask hides a cell', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a cat');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  const picture = page.locator(`#masks ${own('heatmap')}`).last();
  const readout = page.locator('#masks .readout');
  await openView(page, 'Masks');
  await pointAt(picture, 2, 1, 77);
  await expect(readout).toHaveText('Query 2 cat, key 1 a: visible');
  await pointAt(picture, 1, 2, 77);
  await expect(readout).toHaveText('Query 1 a, key 2 cat: masked: the key comes later');
  await pointAt(picture, 60, 20, 77);
  await expect(readout).toHaveText('Query 60 PAD, key 20 PAD: masked: the key’s mask bit is 0');
});

test('a masked cell of an attention map is drawn as masked, a small value is not', async ({ page }) => {
  await openTiny(page, 'webgpu');
  await prompt(page).fill('a cat');
  const map = page.locator(own('matrix')).getByRole('img');
  await openView(page, 'Attention');
  await expect.poll(async () => (await pixel(map, 3, 3))[3]).toBe(255);
  expect((await pixel(map, 1, 0))[3]).toBe(0);
  expect((await pixel(map, 3, 2))[3]).toBe(0);
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('none');
  await expect.poll(async () => (await pixel(map, 3, 2))[3]).toBe(255);
});
