import { expect, test } from '@playwright/test';
import {
  encodingCost,
  negativePrompt,
  openOptions,
  openPage,
  openTiny,
  openView,
  own,
  prompt,
  status,
  tokenRows,
} from './page.ts';

test('a weighted prompt: its tokens, their ids and weights', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a (red:1.3) car, [blurry]');
  const rows = tokenRows(page);
  await expect(rows).toHaveCount(8);
  const cells = (row: number) => rows.nth(row).getByRole('cell').allInnerTexts();
  expect(await cells(0)).toEqual(['0', '49406', expect.stringMatching(/^BOS/), '1', '1']);
  expect(await cells(1)).toEqual(['1', '320', 'a</w>', '1', '1']);
  expect(await cells(2)).toEqual(['2', '736', 'red</w>', '1.3', '1']);
  expect(await cells(3)).toEqual(['3', '1615', 'car</w>', '1', '1']);
  expect(await cells(4)).toEqual(['4', '267', ',</w>', '1', '1']);
  expect(await cells(5)).toEqual(['5', '21977', 'blurry</w>', '0.9091', '1']);
  expect(await cells(6)).toEqual(['6', '49407', expect.stringMatching(/^EOS/), '1', '1']);
  expect((await cells(7)).slice(0, 2)).toEqual(['7–76', '49407']);
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText('5 / 75 tokens');

  await rows.nth(7).getByRole('button', { name: 'Expand' }).click();
  await expect(rows).toHaveCount(77);
  await rows.nth(7).getByRole('button', { name: 'Collapse PAD' }).click();
  await expect(rows).toHaveCount(8);
});

test('the prompt one works in is the one the pictures show', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await negativePrompt(page).fill('blurry');
  await expect(page.getByRole('radio', { name: 'Negative' })).toBeChecked();
  await expect(tokenRows(page).nth(1)).toContainText('blurry');
  await expect(status(page)).toContainText('Ready');
  await page.getByRole('radio', { name: 'Positive' }).check();
  await expect(tokenRows(page).nth(2)).toContainText('red');
  await expect(status(page)).toContainText('Ready');
});

test('text, table and matrix mark the same token', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await expect(tokenRows(page).nth(3)).toContainText('car');
  await expect(status(page)).toContainText('Ready');
  await expect(page.locator('[data-stale]:visible')).toHaveCount(0);
  await tokenRows(page).nth(3).hover();
  await expect(page.locator('.cm-content [data-pointed]')).toHaveText('car');
  await expect(page.locator(`${own('strip')} [data-pointed]`)).toHaveText('car');
  await openView(page, 'Attention');
  await page.locator(`${own('strip')} [data-token="3"]`).hover();
  await expect(page.locator(`${own('matrix')} ${own('rows')} [data-pointed]`)).toHaveText('car');
  await expect(page.locator(`${own('matrix')} ${own('columns')} [data-pointed]`)).toHaveText('car');
  await page
    .locator(own('matrix'))
    .getByRole('application')
    .hover({ position: { x: 5, y: 5 } });
  await expect(page.locator(`${own('matrix')} ${own('rows')} [data-pointed]`)).toHaveText('BOS');
  await openView(page, 'Tokens');
  await prompt(page).press('ControlOrMeta+End');
  await page.getByRole('heading', { level: 1 }).hover();
  // While the pointer is elsewhere, the caret at the end of the prompt points.
  await expect(page.locator('tr[data-pointed]')).toContainText(['car']);
  await prompt(page).press('Home');
  await expect(page.locator('tr[data-pointed]')).toContainText(['a</w>']);
  const word = await page.locator('.cm-content [data-token="2"]').boundingBox();
  if (!word) throw new Error('The word is not on the page.');
  await page.mouse.move(word.x + word.width / 2, word.y + word.height / 2);
  await expect(page.locator('tr[data-pointed]')).toContainText(['red</w>']);
});

test('what is wrong with a prompt is said, shown and mended', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a (red:1.1.1) car');
  const diagnostic = page.locator('#diagnostics-positive').getByRole('listitem').filter({ hasText: '1.1.1' });
  await diagnostic.getByRole('button', { name: 'Show' }).click();
  expect(await page.evaluate(() => String(getSelection()))).toContain('1.1.1');
  await diagnostic.getByRole('button', { name: 'Write 1.1', exact: true }).click();
  await expect(prompt(page)).toHaveText('a (red:1.1) car');
  await expect(diagnostic).toHaveCount(0);
  await expect(tokenRows(page).nth(2)).toContainText('1.1');
});

test('tokens that do not fit are listed as cut off', async ({ page }) => {
  await openPage(page);
  await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
  await prompt(page).fill(`${'cat '.repeat(75)}dog bird`);
  await expect(page.getByText('77 / 75 tokens')).toBeVisible();
  await expect(tokenRows(page)).toHaveCount(77);
  await expect(page.getByText('2 more tokens do not fit and have no effect:')).toBeVisible();
  await expect(page.locator(`${own('cut-off')} li`)).toHaveText(['dog', 'bird']);
});

test('prompts, options, model and theme survive a reload', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a (castle:1.2)');
  await negativePrompt(page).fill('fog');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark');
  await page.reload();
  await expect(prompt(page)).toHaveText('a (castle:1.2)');
  await expect(negativePrompt(page)).toHaveText('fog');
  await openOptions(page);
  await expect(page.getByRole('combobox', { name: 'Mask' })).toHaveValue('hf');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
});

test('a change of weights alone runs no pass and changes the result', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a (red:1.3) car');
  await expect(status(page)).toContainText('Ready');
  const norm = page.getByRole('row', { name: /^red / }).getByRole('cell').nth(1);
  await openView(page, 'Embeddings');
  await expect(norm).toBeVisible();
  await openView(page, 'Tokens');
  await expect(encodingCost(page)).toContainText('75 of this chunk’s 77 rows');
  await openView(page, 'Embeddings');
  const before = await norm.innerText();
  await prompt(page).fill('a (red:1.9) car');
  await expect(norm).not.toHaveText(before);
  await openView(page, 'Tokens');
  await expect(encodingCost(page)).toContainText('took no encoding');
});

test('F8 goes from message to message, in the text and in the list', async ({ page }) => {
  await openTiny(page);
  const texts = Array.from({ length: 8 }, (_, i) => `(a${i}:1,${i})`);
  await prompt(page).fill(texts.join(' '));
  const current = page.locator(`${own('diagnostics')} li[data-current]`);
  const messages = page.locator(own('diagnostics')).first().getByRole('listitem');
  await expect(messages).toHaveCount(8);
  await page.keyboard.press('Control+Home');
  for (let i = 0; i < 6; i++) await page.keyboard.press('F8');
  await expect(current).toHaveCount(1);
  await expect(current).toBeInViewport({ ratio: 1 });
  const at = await current.evaluate((item) => [...item.parentElement!.children].indexOf(item));
  const selected = await page.evaluate(() => getSelection()?.toString());
  expect(texts[at]).toContain(selected);
});

test('a number that may not be is refused in words, and the last one stays in use', async ({ page }) => {
  await openTiny(page);
  const clipSkip = page.getByRole('spinbutton', { name: 'Clip skip' });
  await openOptions(page);
  await clipSkip.fill('2');
  for (const number of ['0', '4', '1.5', '']) {
    await openOptions(page);
    await clipSkip.fill(number);
    await expect(clipSkip).toHaveAttribute('aria-invalid', 'true');
    await expect(clipSkip).toHaveAccessibleDescription('Clip skip: a whole number, 1 to 3. 2 stays in use.');
    await expect(page.getByText('2 stays in use')).toBeVisible();
  }
  await openOptions(page);
  await clipSkip.blur();
  await expect(clipSkip).toHaveValue('2');
  await expect(clipSkip).not.toHaveAttribute('aria-invalid');
  await clipSkip.fill('3');
  await expect(clipSkip).not.toHaveAttribute('aria-invalid');
});
