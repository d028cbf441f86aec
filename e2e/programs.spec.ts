import { expect, type Page, test } from '@playwright/test';
import { openTiny, openView, prompt } from './page.ts';

const panel = (page: Page) => page.locator('#programs');
const tokens = (page: Page) => page.getByRole('table', { name: 'Weight of each token in each program' });
const cells = (page: Page, token: string) =>
  tokens(page)
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: token, exact: true }) })
    .getByRole('cell');

test('why A1111 and ComfyUI differ on this prompt is one action away', async ({ page }) => {
  await openTiny(page);
  await openView(page, 'Programs');
  await expect(panel(page)).toContainText('A1111 reads 9 tokens and ComfyUI 11; 9 are the same');
  await expect(panel(page)).toContainText('“blurry” 0.9091 against 1');
  await expect(panel(page)).toContainText('Only ComfyUI reads “[” and “]”.');
  await expect(panel(page)).toContainText(
    /Where both have a token, the numbers differ by [\d.]+ % of their length \(mean cosine 0\.\d+\), most at “.+”, by [\d.]+ %/,
  );
  await expect(cells(page, '[')).toHaveText(['–', '1', '1', '', '']);
  await expect(cells(page, 'blurry')).toHaveText(['0.9091', '1', '1', /^[\d.]+ %$/, /^-?0\.\d{4}$/]);
});

test('the largest difference first, another pair, and what Compel cuts off', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill(`a (red:1.6) car, ${'cat '.repeat(80)}`);
  await openView(page, 'Programs');
  await page.getByRole('radio', { name: 'Largest difference first' }).check();
  await expect(tokens(page).getByRole('row').nth(1).getByRole('cell').nth(3)).toHaveText(/%$/);
  const shares = await tokens(page).evaluate((table: HTMLTableElement) =>
    Array.from(table.tBodies[0].rows, (row) => Number.parseFloat(row.cells[4].textContent)).filter(Number.isFinite),
  );
  expect(shares).toEqual(shares.toSorted((a, b) => b - a));
  await panel(page).getByRole('radio', { name: 'A1111 and Compel' }).check();
  await expect(panel(page)).toContainText(/Compel cuts off \d+ tokens, from “cat” on\./);
  await expect(panel(page)).toContainText('A1111 encodes this as 2 chunks, Compel as one chunk.');
  await expect(tokens(page)).toContainText('cut off');
});

test('on a narrow page nothing is wider than it', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await openTiny(page);
  await prompt(page).fill(`(${'supercalifragilistic '.repeat(20)}:1.3), ((cat)) ${'x'.repeat(200)}`);
  await openView(page, 'Programs');
  await expect(tokens(page)).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
});
