import { expect, type Page, test } from '@playwright/test';
import { openOptions, openPage, openTiny, openView, own, prompt, status, withoutWebGpu } from './page.ts';

const panel = (page: Page) => page.locator('#anatomy');
const equation = (page: Page, number: number) =>
  panel(page).getByRole('button', { name: new RegExp(`^Equation ${number}:`) });
const speed = (page: Page) => page.locator('#speed');
const rows = (page: Page) => speed(page).getByRole('table', { name: 'Stages' }).locator('tbody').getByRole('row');

async function openAnatomy(page: Page): Promise<void> {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await expect(status(page)).toContainText('Ready');
  await openView(page, 'Anatomy');
  await expect(panel(page).locator(own('total'))).toBeVisible();
}

/** The number that the sum gives, and the one that was read back. */
async function expectSumToAgree(page: Page): Promise<void> {
  const number = async (id: string) => Number(await panel(page).getByTestId(id).textContent());
  await openView(page, 'Anatomy');
  await expect(panel(page).locator('[data-stale]')).toHaveCount(0);
  const [total, value] = [await number('cell-total'), await number('cell-value')];
  expect(Number.isFinite(total)).toBe(true);
  expect(Math.abs(total - value)).toBeLessThanOrEqual(2e-5 * (1 + Math.abs(value)));
}

test('from an equation to its matrix, the sum of a cell and its code', async ({ page }) => {
  await openAnatomy(page);
  await openView(page, 'Anatomy');
  await equation(page, 34).click();
  await expect(panel(page).getByRole('heading', { name: 'Attention' })).toBeVisible();
  await expect(panel(page).getByRole('radio', { name: 'Attention output, equation 34' })).toBeChecked();
  await expect(panel(page).getByRole('img', { name: /^Attention output: 5 tokens as rows, 64 columns/ })).toBeVisible();
  await panel(page)
    .getByText(/^AssemblyScript:/)
    .click();
  const code = panel(page).getByRole('region', { name: 'AssemblyScript of attention' });
  await expect(code).toContainText('export function attention(');
  await panel(page).getByRole('combobox', { name: 'File' }).selectOption('simd');
  await expect(panel(page).getByRole('region', { name: 'AssemblyScript of simd' })).toContainText(
    'export function exp(',
  );

  // Linear, softmax, LayerNorm, residual sum, QuickGELU, and the embeddings.
  for (const number of [31, 29, 41, 44, 38, 51, 48, 35, 39]) {
    await openView(page, 'Anatomy');
    await equation(page, number).click();
    await expect(equation(page, number)).toHaveAttribute('aria-pressed', 'true');
    await expect(panel(page).getByTestId('cell-total')).toBeVisible();
    await panel(page).getByLabel('The sum behind the cell').getByRole('spinbutton').fill('3');
    await panel(page).getByLabel('The sum behind the cell').getByRole('combobox').selectOption('3');
    await expect(panel(page).getByTestId('cell-total')).toBeVisible();
    await expectSumToAgree(page);
  }
  await equation(page, 48).click();
  await expect(panel(page)).not.toContainText('With clip skip');
  await openOptions(page);
  await page.getByRole('spinbutton', { name: 'Clip skip' }).fill('2');
  await expect(panel(page)).toContainText(
    'With clip skip 2, weights act on the output of layer 1 after this LayerNorm',
  );
  await equation(page, 55).click();
  await expect(panel(page)).toContainText('The lecture writes j < i');
  await expect(panel(page).getByRole('link', { name: 'Masks' })).toHaveAttribute('href', '#masks');
  await panel(page).getByRole('button', { name: 'QuickGELU', exact: true }).click();
  await expect(panel(page).getByText(/^AssemblyScript:/)).toContainText('quick_gelu');
});

test('by keyboard alone: stage, matrix, cell', async ({ page }) => {
  await openAnatomy(page);
  await openView(page, 'Anatomy');
  await panel(page).getByRole('button', { name: 'Embeddings', exact: true }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(panel(page).getByRole('heading', { name: 'Queries, keys, values' })).toBeVisible();
  await panel(page).getByRole('radio', { name: 'Queries, equation 30–31' }).focus();
  await page.keyboard.press('ArrowDown');
  await expect(panel(page).getByRole('radio', { name: 'Keys, equation 30–31' })).toBeChecked();
  await panel(page).getByRole('application', { name: /^Keys/ }).focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
  const cell = panel(page).getByLabel('The sum behind the cell');
  await openView(page, 'Anatomy');
  await expect(cell.getByRole('combobox')).toHaveValue('2');
  await expect(cell.getByRole('spinbutton')).toHaveValue('1');
  await expect(panel(page).getByTestId('cell-total')).toBeVisible();
  await expectSumToAgree(page);
});

test('a whole pass and an edit are timed, and the encoder is right afterwards', async ({ page }) => {
  await openTiny(page);
  const encodeCar = async (color: string) => {
    await prompt(page).fill(`a ${color} car`);
    await expect(status(page)).toContainText('Ready');
    await openView(page, 'Embeddings');
    return page.locator('#embeddings').textContent();
  };
  const blue = await encodeCar('blue');
  // A new visit knows nothing of it.
  await openTiny(page);
  await encodeCar('red');
  await openView(page, 'Speed');
  await speed(page).getByRole('button', { name: 'Time a whole pass' }).click();
  await expect(speed(page)).toContainText(
    /A whole pass of 77 rows \(CPU, 1 thread, .*SIMD\): \d+ steps, 0\.\d+ GFLOP, [\d.]+ [kM]B/,
  );
  for (const name of ['embeddings', 'layer_norm1', 'self_attn.qkv_proj', 'self_attn.attention', 'mlp.fc1', 'mlp.fc2'])
    await expect(rows(page).filter({ hasText: name }).first()).toBeVisible();
  const shares = await rows(page)
    .locator(`td${own('share')}`)
    .allTextContents();
  const sum = shares.reduce((sum, text) => sum + Number.parseFloat(text), 0);
  expect(Math.abs(sum - 100)).toBeLessThan(0.05 * shares.length + 1e-9);
  await speed(page).getByRole('button', { name: 'Time an edit' }).click();
  await expect(speed(page)).toContainText('Rows 3 to 4 of 77 (CPU');
  expect(await encodeCar('blue')).toBe(blue);
});

test('on WebGPU the code is WGSL; where that is not there a sentence stands for the numbers', async ({ page }) => {
  await withoutWebGpu(page);
  await openPage(page, 'webgpu');
  await openView(page, 'Anatomy');
  await equation(page, 37).click();
  await expect(panel(page).getByRole('heading', { name: 'MLP, first half' })).toBeVisible();
  await expect(panel(page)).toContainText('a matrix needs the encoder');
  await panel(page)
    .getByText(/^WGSL:/)
    .click();
  await expect(panel(page).getByRole('region', { name: /^WGSL of matmul/ })).toContainText('fn main');
});
