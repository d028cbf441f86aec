import { expect, type Page, test } from '@playwright/test';
import { openPage, openView, own, prompt, tokenRows } from './page.ts';

const entries = (page: Page) =>
  page.getByRole('table', { name: 'Vocabulary entries' }).locator('tbody').getByRole('row');
const found = (page: Page) => page.getByRole('status', { name: 'Found' });
const symbols = (page: Page) => page.getByRole('list', { name: 'Symbols' }).locator(own('symbol'));

async function openVocabulary(page: Page): Promise<void> {
  await openPage(page);
  await openView(page, 'Vocabulary');
  await expect(page.getByRole('searchbox', { name: 'Text or ids' })).toBeVisible();
}

test('the vocabulary can be searched by text', async ({ page }) => {
  await openVocabulary(page);
  // It opens on a word of the prompt.
  await expect(page.getByRole('searchbox')).toHaveValue('background');
  await expect(entries(page).first()).toContainText('background</w>');
  await page.getByRole('searchbox').fill('');
  await expect(found(page)).toHaveText('49,408 entries, the first 100 below');
  await expect(entries(page)).toHaveCount(100);
  await page.getByRole('searchbox').fill('Blurry');
  await expect(entries(page).first().getByRole('cell')).toHaveText(['21977', 'blurry</w>', 'blurry']);
  await page.getByRole('searchbox').fill('no such entry');
  await expect(found(page)).toHaveText('0 entries with this text');
  await expect(entries(page)).toHaveCount(0);
});

test('ids are looked up', async ({ page }) => {
  await openVocabulary(page);
  await page.getByRole('searchbox').fill('320, 736 1615 60000');
  await expect(found(page)).toContainText('3 ids: a red car');
  await expect(found(page)).toContainText('Ids run from 0 to 49407: no 60000.');
  await expect(entries(page)).toHaveText([/^320a<\/w>a$/, /^736red<\/w>red$/, /^1615car<\/w>car$/]);
});

test('the merges of a word, step by step', async ({ page }) => {
  await openVocabulary(page);
  const readout = page.locator(`${own('player')} .readout`);
  await page.getByRole('textbox', { name: 'Word' }).fill('banananana');
  await expect(symbols(page)).toHaveText(['ban', 'anan', 'ana</w>']);
  await expect(readout).toContainText('No merge in the list fits any more: 3 tokens.');
  // The keyboard alone is enough.
  await page.getByRole('slider', { name: 'Merge' }).focus();
  await page.keyboard.press('Home');
  await expect(symbols(page)).toHaveText(['b', 'a', 'n', 'a', 'n', 'a', 'n', 'a', 'n', 'a</w>']);
  await expect(readout).toContainText('10 bytes of UTF-8');
  await page.keyboard.press('ArrowRight');
  await expect(symbols(page)).toHaveText(['b', 'an', 'an', 'an', 'an', 'a</w>']);
  await expect(readout).toContainText(/^a \+ n → an: merge [\d,]+ in the list of 48,894\./);
  await page.getByRole('button', { name: 'Step forward' }).click();
  await expect(symbols(page)).toHaveText(['ban', 'an', 'an', 'an', 'a</w>']);
  await page.getByRole('button', { name: 'Step back' }).click();
  await expect(symbols(page)).toHaveText(['b', 'an', 'an', 'an', 'an', 'a</w>']);
  const steps = page.getByRole('list', { name: 'Merges in the order of their ranks' }).getByRole('button');
  await steps.last().click();
  await expect(symbols(page)).toHaveText(['ban', 'anan', 'ana</w>']);
});

test('of several words one is chosen; bytes that are no character are one too', async ({ page }) => {
  await openVocabulary(page);
  await page.getByRole('textbox', { name: 'Word' }).fill('Photo, 😀');
  await expect(page.getByText('3 words')).toBeVisible();
  await expect(symbols(page)).toHaveText(['photo</w>']);
  await page.getByRole('radio', { name: '😀' }).check();
  await expect(page.locator(`${own('player')} ${own('hex')}`)).toHaveText('f0 9f 98 80');
  await page.getByRole('textbox', { name: 'Word' }).fill(' ');
  await expect(page.getByText('Type a word, or choose one')).toBeVisible();
});

test('a token of the prompt, or an entry, shows its word’s merges', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a photorealistic car');
  await tokenRows(page).nth(3).getByRole('button').click();
  await expect(page.getByRole('textbox', { name: 'Word' })).toHaveValue('photorealistic');
  await page.getByRole('searchbox').fill('castle</w>');
  await entries(page).first().getByRole('button').click();
  await expect(page.getByRole('textbox', { name: 'Word' })).toHaveValue('castle');
  await openView(page, 'Tokens');
  await tokenRows(page).nth(1).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('textbox', { name: 'Word' })).toHaveValue('a');
});
