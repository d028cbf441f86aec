import { expect, type Page, test } from '@playwright/test';
import { openTiny, prompt, status } from './page.ts';

const panel = (page: Page) => page.locator('#speed');
const rows = (page: Page) => panel(page).getByRole('table', { name: 'Stages' }).locator('tbody').getByRole('row');

const stages = ['embeddings', 'layer_norm1', 'self_attn.qkv_proj', 'self_attn.attention', 'mlp.fc1', 'mlp.fc2'];

test('a whole pass and an edit are timed, and what is encoded afterwards is right', async ({ page }) => {
  const encodeCar = async (color: string) => {
    await prompt(page).fill(`a ${color} car`);
    await expect(status(page)).toContainText('Ready');
    return page.locator('#embeddings').textContent();
  };
  await openTiny(page);
  const blue = await encodeCar('blue');
  // A new visit has no rows from before to reuse.
  await openTiny(page);
  await encodeCar('red');
  await panel(page).getByRole('button', { name: 'Time a whole pass' }).click();
  await expect(panel(page)).toContainText(/A whole pass of 77 rows: \d+ dispatches, 0\.\d+ GFLOP, [\d.]+ [kM]B/);
  for (const name of stages) await expect(rows(page).filter({ hasText: name }).first()).toBeVisible();
  const shares = await rows(page).locator('td.share').allTextContents();
  const sum = shares.reduce((sum, text) => sum + Number.parseFloat(text), 0);
  expect(Math.abs(sum - 100)).toBeLessThan(0.05 * shares.length + 1e-9);

  await panel(page).getByRole('button', { name: 'Time an edit' }).click();
  await expect(panel(page)).toContainText('Rows 3 to 4 of 77:');
  expect(await encodeCar('blue')).toBe(blue);
});
