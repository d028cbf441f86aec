import { expect, type Page, test } from '@playwright/test';
import { openOptions, openPage, openTiny, openView, own, prompt, status, tokenRows, withoutWebGpu } from './page.ts';

const answer = (page: Page) => page.getByRole('region', { name: 'Answer' });
const sentence = (page: Page, text: string | RegExp) => answer(page).getByRole('listitem').filter({ hasText: text });

async function type(page: Page, text: string): Promise<void> {
  await prompt(page).fill(text);
  await expect(status(page)).toContainText('Ready');
}

test('why does my weight do nothing', async ({ page }) => {
  await openTiny(page);
  await type(page, 'a (red:1.3) car');
  await openView(page, 'Answer');
  await expect(sentence(page, '“red” (weight 1.3) grows by')).toBeVisible();
  await expect(sentence(page, 'Attention does not change with a weight')).toContainText('after layer 2');

  await openView(page, 'Attention');
  await expect(page.locator('#attention')).toContainText('Weights do not change attention');
  await openView(page, 'Answer');

  await openOptions(page);
  await page.getByRole('combobox', { name: 'Weighting' }).selectOption('none');
  await expect(sentence(page, '“A1111 Ignore” applies no weights')).toBeVisible();
  await expect(sentence(page, 'grows by')).toHaveCount(0);
  // At the prompt too, and in the colours.
  const message = page.locator('#diagnostics-positive').getByText('“A1111 Ignore” applies no weights');
  await expect(message).toBeVisible();
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(2).getByRole('cell').nth(3)).toHaveText('1.3 → 1');
  await expect(page.locator('.cm-content .token[style]').filter({ hasText: 'red' })).toHaveCount(0);

  // Show me leads to the place in the prompt.
  await openView(page, 'Answer');
  await sentence(page, '“A1111 Ignore” applies no weights').getByRole('button', { name: 'Show me' }).click();
  await expect(prompt(page)).toBeFocused();
  expect(await page.evaluate(() => String(getSelection()))).toBe('red');
});

test('what was cut', async ({ page }) => {
  await openTiny(page);
  await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
  await type(page, `${'cat '.repeat(75)}photorealistic dog`);
  await openView(page, 'Answer');
  const cut = sentence(page, 'do not fit into the 75 of a chunk');
  await expect(cut).toContainText('The last 3 tokens');
  await expect(cut).toContainText('from “photorealistic” on');
  await cut.getByRole('button', { name: 'Show me' }).click();
  expect(await page.evaluate(() => String(getSelection()))).toBe('photorealistic dog');
});

test('which chunk', async ({ page }) => {
  await openTiny(page);
  await type(page, 'a cat BREAK in the snow');
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText(
    '5 tokens in 2 chunks (A1111 shows 78/150)',
  );
  await prompt(page).press('ControlOrMeta+Home');
  await expect(page.getByRole('radio', { name: 'Chunk 1 2/75' })).toBeChecked();
  await openView(page, 'Answer');
  const second = sentence(page, 'Chunk 2 begins at “in”, after BREAK.');
  await second.getByRole('link', { name: 'Show me' }).click();
  await expect(page.getByRole('radio', { name: 'Chunk 2 3/75' })).toBeChecked();
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(1)).toContainText('in');
});

test('the answer is copied as text, and told once when typing rests', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openTiny(page);
  await type(page, 'a [blurry] car');
  await openView(page, 'Answer');
  await expect(sentence(page, 'ComfyUI would read “[” and “]” as text')).toContainText('2 more tokens');
  // The answer of before is dimmed until this one is there.
  await expect(answer(page).locator('[data-stale]')).toHaveCount(0);
  await answer(page).getByRole('button', { name: 'Copy as text' }).click();
  await expect(answer(page).getByRole('status', { name: 'Copy' })).toHaveText('Copied.');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain('a [blurry] car (positive prompt, read as A1111’s; made-up weights)');
  expect(copied).toContain('“blurry” (weight 0.9091) shrinks by');
  await expect(answer(page).getByRole('status', { name: 'Answer in short' })).toContainText('“blurry”');
});

test('where the engine that was chosen is not there the answer stands in words', async ({ page }) => {
  await withoutWebGpu(page);
  await openPage(page, 'webgpu');
  await openView(page, 'Answer');
  await expect(sentence(page, '“red” (weight 1.3) is weighed.')).toBeVisible();
  await expect(sentence(page, 'No numbers yet: the encoder cannot run here.')).toBeVisible();
});

const bars = (page: Page) => page.getByRole('table', { name: 'Each token before and after weighting' });
const barRow = (page: Page, token: string) =>
  bars(page)
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: token, exact: true }) });

test('the picture of the weights reacts to a weight, says why, and has the other methods beside it', async ({
  page,
}) => {
  await openTiny(page);
  await openView(page, 'Weights');
  await type(page, 'a (red:1.3) car');
  await expect(barRow(page, 'red')).toContainText('1.3');
  const before = await barRow(page, 'red').innerText();
  await type(page, 'a (red:1.9) car');
  await expect(barRow(page, 'red')).toContainText('1.9');
  expect(await barRow(page, 'red').innerText()).not.toBe(before);
  await expect(bars(page).getByRole('row')).toHaveCount(1 + 5);
  const panel = page.getByRole('region', { name: 'Weights', exact: true });
  await panel.getByRole('button', { name: '72 PAD rows' }).click();
  await expect(bars(page).getByRole('row')).toHaveCount(1 + 77);
  await panel.getByRole('button', { name: 'Without PAD' }).click();

  // By keyboard: one stop, and the arrows go on from there.
  await barRow(page, 'BOS').getByRole('button').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const why = panel.getByRole('region', { name: 'Why: A1111 Original, token 2 “red”' });
  await expect(why).toContainText('z″ = 1.9 · z');

  await panel.getByRole('button', { name: 'Totals of all methods' }).click();
  const totals = page.getByRole('table', { name: /^All methods/ });
  await expect(totals.getByRole('row', { name: /^A1111 Ignore 0 %/ })).toBeVisible();
  await expect(totals.getByRole('row')).toHaveCount(1 + 11);

  // The word under the caret is swept.
  await prompt(page).press('ControlOrMeta+End');
  await page.getByRole('heading', { level: 1 }).hover();
  await panel.getByRole('button', { name: 'Sweep the weight of “car”' }).click();
  await expect(panel.getByRole('radio', { name: 'car, weight 1' })).toBeChecked();

  await openOptions(page);
  await page.getByRole('combobox', { name: 'Weighting' }).selectOption('none');
  await expect(panel.getByText('“A1111 Ignore” applies no weights')).toBeVisible();
  await expect(barRow(page, 'red')).toContainText('1.9 → 1');
  await expect(barRow(page, 'red')).toContainText('0 %');
});
