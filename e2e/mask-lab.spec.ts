import { expect, type Page, test } from '@playwright/test';
import { maskModes } from '../src/clip/masks.ts';
import { openOptions, openTiny, openView, own, pixel, prompt } from './page.ts';

const progress = (page: Page) => page.getByRole('status', { name: 'Mask lab' });
const rows = (page: Page) =>
  page.getByRole('table', { name: 'Change of each row under each mask' }).locator('tbody').getByRole('row');
const token = (page: Page, name: string) => rows(page).getByRole('button', { name, exact: true });

/** Reads a column's texts for the rows on show, in which PAD is one row. */
const column = (page: Page, id: string) =>
  page.locator(`${own('table')} tbody [data-column="${id}"]`).allTextContents();

async function openLab(page: Page, text: string): Promise<void> {
  await openTiny(page);
  await prompt(page).fill(text);
  await openView(page, 'Mask lab');
  await expect(progress(page)).toHaveText('4 of 4 runs of the encoder done');
}

const same = 'unchanged';
const other = expect.stringMatching(/^(≤ |< )?[\d.]+ %$/);

test('which rows each mask changes', async ({ page }) => {
  await openLab(page, 'a red car');
  await expect(rows(page).getByRole('rowheader')).toHaveText(['0 BOS', '1 a', '2 red', '3 car', '4 EOS', '5–76 PAD']);
  const found = Object.fromEntries(await Promise.all(maskModes.map(async (id) => [id, await column(page, id)])));
  expect(found).toEqual({
    causal: [same, same, same, same, same, same],
    hf: [same, same, same, same, same, other],
    lecture: [same, same, same, same, other, other],
    none: [other, other, other, other, other, other],
  });
  const findings = page.locator(`${own('trial')} ${own('finding')}`);
  await expect(findings.nth(1)).toHaveText(
    /^Rows 5 to 76 \(PAD\) change, up to \d+ % at row \d+ \(PAD\); rows 0 to 4 \(BOS to EOS\) do not\.$/,
  );
  await expect(findings.nth(2)).toHaveText(/^Rows 4 to 76 \(EOS to PAD\) change, .* \(BOS to “car”\) do not\.$/);
  await expect(findings.nth(3)).toHaveText(/^All 77 rows change/);
  await page.locator('#mask-lab').getByRole('button', { name: '72 PAD rows' }).click();
  await expect(rows(page)).toHaveCount(77);
  expect((await column(page, 'hf')).slice(5)).toEqual(Array(72).fill(other));
});

test('masking a token as a key changes rows from it on, and no row before it', async ({ page }) => {
  await openLab(page, 'a red car');
  expect(await column(page, 'masked')).toEqual(Array(6).fill('–'));
  await token(page, '2 red').click();
  await expect(token(page, '2 red')).toHaveAttribute('aria-pressed', 'true');
  await expect(progress(page)).toHaveText('5 of 5 runs of the encoder done');
  await expect(page.getByRole('columnheader', { name: 'Key 2 “red” masked' })).toBeVisible();
  expect(await column(page, 'masked')).toEqual([same, same, other, other, other, other]);
  const trial = page.locator(own('trial')).last();
  await expect(trial).toContainText('Rows before 2 cannot change');
  await expect(trial).toContainText('rows 0 to 1 (BOS to “a”) do not.');
  // Key 2 is hidden from every query, query 2 included.
  expect((await pixel(trial.getByRole('img'), 2, 2))[3]).toBe(0);
  expect((await pixel(trial.getByRole('img'), 1, 2))[3]).toBe(255);

  // The keyboard chooses another token.
  await token(page, '2 red').press('ArrowDown');
  await expect(token(page, '3 car')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('columnheader', { name: '2 keys masked' })).toBeVisible();
  await token(page, '2 red').click();
  await expect(page.getByRole('columnheader', { name: 'Key 3 “car” masked' })).toBeVisible();
  await expect.poll(() => column(page, 'masked')).toEqual([same, same, same, other, other, other]);

  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await expect(token(page, '3 car')).toHaveAttribute('aria-pressed', 'false');
  expect(await column(page, 'masked')).toEqual(Array(6).fill('–'));
});

test('a key is masked under the mask on show', async ({ page }) => {
  await openLab(page, 'a red car');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('none');
  await token(page, '2 red').click();
  await expect.poll(() => column(page, 'masked')).toEqual(Array(6).fill(other));
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  await expect.poll(() => column(page, 'masked')).toEqual([same, same, other, other, other, other]);
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.locator('#mask-lab').getByRole('button', { name: '72 PAD rows' }).click();
  await token(page, '9 PAD').click();
  const trial = page.locator(own('trial')).last();
  await expect(trial).toContainText('The mask chosen hides this key already.');
  await expect(trial.locator(own('finding'))).toHaveText('No row changes.');
});

test('a token pointed at in the lab is pointed at everywhere, and the lab follows the prompt', async ({ page }) => {
  await openLab(page, 'a red car');
  await token(page, '2 red').hover();
  await expect(page.locator(`${own('strip')} [data-pointed]`)).toHaveText('red');
  await token(page, '3 car').focus();
  await page.mouse.move(0, 0);
  await expect(page.locator(`${own('strip')} [data-pointed]`)).toHaveText('car');
  await prompt(page).fill('a cat');
  await expect(rows(page).getByRole('rowheader')).toHaveText(['0 BOS', '1 a', '2 cat', '3 EOS', '4–76 PAD']);
  await expect(progress(page)).toHaveText('4 of 4 runs of the encoder done');
  expect(await column(page, 'lecture')).toEqual([same, same, same, other, other]);
});
