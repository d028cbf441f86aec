import { expect, type Page, test } from '@playwright/test';
import { negativePrompt, openPage, openTiny, openView, own, prompt, tokenRows } from './page.ts';

/** Puts the caret into the prompt, after its first `characters`. */
async function caretAt(page: Page, characters: number): Promise<void> {
  await prompt(page).press('ControlOrMeta+Home');
  for (let i = 0; i < characters; i++) await page.keyboard.press('ArrowRight');
}

test('keys change the weight of a word, and undo takes each back', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a red car');
  await caretAt(page, 4);
  await page.keyboard.press('ControlOrMeta+ArrowUp');
  await expect(prompt(page)).toHaveText('a (red:1.05) car');
  await page.keyboard.press('ControlOrMeta+ArrowUp');
  await expect(prompt(page)).toHaveText('a (red:1.1) car');
  await expect(tokenRows(page).nth(2).getByRole('cell').nth(3)).toHaveText('1.1');
  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('a (red:1.05) car');
  await page.keyboard.press('ControlOrMeta+ArrowDown');
  await expect(prompt(page)).toHaveText('a red car');
  await page.keyboard.press('ControlOrMeta+Z');
  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('a red car');
  await page.keyboard.press('ControlOrMeta+Shift+Z');
  await expect(prompt(page)).toHaveText('a (red:1.05) car');
  // The caret is still in the word.
  await page.keyboard.type('d');
  await expect(prompt(page)).toHaveText('a (redd:1.05) car');
});

test('keys change the weight of a selection, by the step that was chosen', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a red car');
  await page.getByRole('button', { name: 'Keys' }).click();
  await page.getByRole('radio', { name: '0.1', exact: true }).check();
  await caretAt(page, 2);
  for (let i = 0; i < 7; i++) await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('ControlOrMeta+ArrowDown');
  await expect(prompt(page)).toHaveText('a (red car:0.9)');
  await page.keyboard.press('ControlOrMeta+ArrowDown');
  await expect(prompt(page)).toHaveText('a (red car:0.8)');
  await page.reload();
  await page.getByRole('button', { name: 'Keys' }).click();
  await expect(page.getByRole('radio', { name: '0.1', exact: true })).toBeChecked();
});

test('keys move an item between commas, and undo moves it back', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a castle, (fog, rain:1.2), night');
  await caretAt(page, 2);
  await page.keyboard.press('Alt+ArrowRight');
  await expect(prompt(page)).toHaveText('(fog, rain:1.2), a castle, night');
  await page.keyboard.press('Alt+ArrowRight');
  await expect(prompt(page)).toHaveText('(fog, rain:1.2), night, a castle');
  await page.keyboard.press('Alt+ArrowRight');
  await expect(prompt(page)).toHaveText('(fog, rain:1.2), night, a castle');
  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('(fog, rain:1.2), a castle, night');
});

test('a remedy is one step that can be undone', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a (red:1,3) car');
  await page.getByRole('button', { name: 'Write 1.3' }).click();
  await expect(prompt(page)).toHaveText('a (red:1.3) car');
  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('a (red:1,3) car');
});

test('messages are underlined where they are, and can be gone through and mended there', async ({ page }) => {
  // The page must be ready, so that nothing moves the text away from under the pointer.
  await openTiny(page);
  await prompt(page).fill('a (red:1,3) car) b');
  await expect(page.locator('.cm-lintRange')).not.toHaveCount(0);
  await caretAt(page, 0);
  const selected = () => page.evaluate(() => String(getSelection()));
  await page.keyboard.press('F8');
  await expect.poll(selected).toBe(':1,3');
  await page.keyboard.press('F8');
  await expect.poll(selected).toBe(')');
  await page.keyboard.press('F8');
  await expect.poll(selected).toBe(':1,3');
  await page.locator('.cm-lintRange').first().hover();
  const tooltip = page.locator('.cm-tooltip');
  await expect(tooltip).toContainText('“1,3” is not a number');
  await tooltip.getByRole('button', { name: /Write 1\.3/ }).click();
  await expect(prompt(page)).toHaveText('a (red:1.3) car) b');
});

test('Tab leaves the editor, and the brackets at the caret are marked', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a (red (car):1.3)');
  await caretAt(page, 2);
  await expect(page.locator('.match')).toHaveText(['(', ')']);
  const marks = await page.locator('.match').evaluateAll((all) => all.map((mark) => mark.getBoundingClientRect().x));
  expect(marks[1] - marks[0]).toBeGreaterThan(50);
  await page.keyboard.press('Tab');
  await expect(prompt(page)).not.toBeFocused();
  await page.keyboard.press('Shift+Tab');
  await expect(prompt(page)).toBeFocused();
  await expect(prompt(page)).toHaveText('a (red (car):1.3)');
});

test('until the editor is loaded a text field works, and the typing goes on in the editor', async ({ page }) => {
  let load = () => {};
  const asked = new Promise<void>((resolve) => {
    load = resolve;
  });
  await page.route('**/PromptEditor*.js', async (route) => {
    await asked;
    await route.continue();
  });
  await page.goto('/');
  await expect(page.getByRole('textbox', { name: 'Prompt', exact: true })).toHaveCount(1);
  await prompt(page).fill('one three');
  await prompt(page).press('Home');
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
  load();
  await expect(page.locator('.cm-content')).toHaveCount(2);
  await expect(prompt(page)).toBeFocused();
  await page.keyboard.type('two ');
  await expect(prompt(page)).toHaveText('one two three');
  await expect(page.getByRole('textbox', { name: 'Prompt', exact: true })).toHaveCount(1);
  await expect(negativePrompt(page)).toHaveCount(1);
});

test('where the editor cannot be loaded, the text field goes on working', async ({ page }) => {
  await page.route('**/PromptEditor*.js', (route) => route.abort());
  await page.goto('/');
  await prompt(page).fill('a (red:1,3) car');
  await page.getByRole('button', { name: 'Write 1.3' }).click();
  await expect(prompt(page)).toHaveValue('a (red:1.3) car');
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(2)).toContainText('1.3');
});

test('typing in a prompt of 20,000 characters', async ({ page }) => {
  await openTiny(page);
  const long = Array.from({ length: 1250 }, (_, i) => `(w${i % 1000}:1.2) [x], `)
    .join('')
    .slice(0, 20_000);
  await prompt(page).fill(long);
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText(/^\d{4} tokens in \d{3} chunks/);
  await page.keyboard.press('ControlOrMeta+End');
  // The chunk with the caret is on show. Text out of sight has no marks, or there would be twenty thousand of them.
  await expect(page.getByRole('radio', { name: /^Chunk 101 / })).toBeChecked();
  expect(await page.locator('.cm-content span').count()).toBeLessThan(1000);
  await page.keyboard.type('a'.repeat(15));
  await expect(prompt(page)).toContainText('a'.repeat(15));
});

test('keys in a long prompt are not held up: it is read when they rest', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('(w:0.9) '.repeat(5000));
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText(/chunks/);
  await page.keyboard.press('ControlOrMeta+End');
  await page.keyboard.type('the last words');
  await expect(prompt(page)).toContainText('the last words');
  // Leaving the field needs no rest: the text is taken over at once.
  await prompt(page).blur();
  await expect
    .poll(() => page.evaluate(() => JSON.parse(localStorage.clipscope).prompts.positive))
    .toMatch(/the last words$/);
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText(/^5,?003 /);
});
